import { describe, expect, it } from "vitest";
import { RememberedUsers } from "../../../src/server/gateway/remembered-users.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";

describe("the users who are remembered", () => {
  it(`are the last used, of all apps together (MODEL_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    const max = 5;
    const remembered = new RememberedUsers(max);
    const forgotten: string[] = [];
    const apps = ["a", "b"].map((appId) => ({
      appId,
      forget: (userId: string) => {
        forgotten.push(`${appId} ${userId}`);
        remembered.delete(appId, userId);
      },
    }));
    let expected: string[] = [];
    for (let step = 0; step < 2_000; step++) {
      const app = random.pick(apps);
      const userId = `u${random.below(8)}`;
      const name = `${app.appId} ${userId}`;
      expected = expected.filter((each) => each !== name);
      if (random.oneIn(4)) remembered.delete(app.appId, userId);
      else {
        remembered.add(app.appId, userId, app);
        expected.push(name);
      }
      const oldest = expected.splice(0, expected.length - max);
      expect(forgotten.splice(0)).toEqual(oldest);
      expect(remembered.size).toBe(expected.length);
    }
  });

  it("are none if there may be none", () => {
    const remembered = new RememberedUsers(0);
    const forgotten: string[] = [];
    remembered.add("a", "alice", { forget: (userId) => void forgotten.push(userId) });
    expect(forgotten).toEqual(["alice"]);
    expect(remembered.size).toBe(0);
  });

  it("are without those of an app that has gone, whatever the others of its name are", () => {
    const remembered = new RememberedUsers(5);
    const [gone, next] = [{ forget: () => expect.fail() }, { forget: () => expect.fail() }];
    remembered.add("a", "alice", gone);
    remembered.add("a", "bob", gone);
    remembered.add("a", "bob", next);
    remembered.deleteOf(gone);
    expect(remembered.size).toBe(1);
  });
});
