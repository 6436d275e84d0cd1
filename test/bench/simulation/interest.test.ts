import { describe, expect, it } from "vitest";
import { type InterestPlan, simulateInterest } from "../../../bench/simulation/interest.ts";

const PLAN: InterestPlan = {
  nodes: 10,
  users: 10_000,
  sizes: [{ ofUsers: 1, from: 2, to: 2 }],
  groupSize: 100,
  contacts: 0,
  contactsInGroup: 0,
  placement: "random",
  seed: 1,
};

describe("which share of the changes interests another node", () => {
  it("of two users at random, one in as many nodes", () => {
    // The other user is on each of the nodes with the same probability.
    expect(simulateInterest(PLAN).share).toBeCloseTo(1 / 10, 2);
  });

  it("of a large conversation at random, all", () => {
    const sizes = [{ ofUsers: 1, from: 1_000, to: 1_000 }];
    expect(simulateInterest({ ...PLAN, sizes }).share).toBeCloseTo(1, 2);
  });

  it("of conversations that are on one node, none", () => {
    expect(simulateInterest({ ...PLAN, placement: "by conversation" }).share).toBe(0);
  });

  it("of contacts at random: those who have at least one watcher on it", () => {
    const { share } = simulateInterest({ ...PLAN, placement: "by conversation", contacts: 20 });
    // The number of watchers of a user on a node has a Poisson distribution, with 2 on average.
    expect(share).toBeCloseTo(1 - Math.exp(-20 / 10), 2);
  });

  it("of contacts within a group that is on one node, none", () => {
    const plan = { ...PLAN, contacts: 20, contactsInGroup: 1, placement: "by group" } as const;
    expect(simulateInterest(plan).share).toBe(0);
  });

  it("with one node, none", () => {
    expect(simulateInterest({ ...PLAN, nodes: 1 })).toMatchObject({ share: 0 });
  });
});

it("a node follows the conversations that its users have open, and their contacts", () => {
  const alone = { ...PLAN, nodes: 1 };
  expect(simulateInterest(alone).topicsPerNode).toBe(PLAN.users / 2);
  // Each of so many is somebody's contact.
  expect(simulateInterest({ ...alone, contacts: 100 }).topicsPerNode).toBe(PLAN.users / 2 + PLAN.users);
});

it("a class of sizes has its share of the users, whatever the sizes", () => {
  const sizes = [
    { ofUsers: 0.5, from: 2, to: 2 },
    { ofUsers: 0.5, from: 1_000, to: 1_000 },
  ];
  // Half of the changes interest one node in ten, and half of them all.
  expect(simulateInterest({ ...PLAN, users: 200_000, sizes }).share).toBeCloseTo(0.55, 1);
});

it("the same seed gives the same figures, and another seed others", () => {
  const plan = { ...PLAN, contacts: 5 };
  expect(simulateInterest(plan)).toEqual(simulateInterest(plan));
  expect(simulateInterest(plan)).not.toEqual(simulateInterest({ ...plan, seed: 2 }));
});
