import { expect, it } from "vitest";
import { Inquiries } from "../../../src/server/workers/inquiries.ts";

function world() {
  const inquiries = new Inquiries<string>(1_000);
  const sent: [worker: number, id: number][] = [];
  const ask = (workers: number[], now: number) =>
    inquiries.ask(workers, now, (worker, id) => void sent.push([worker, id]));
  return { inquiries, sent, ask };
}

it("an inquiry is over when all have answered, whatever the order", async () => {
  const { inquiries, sent, ask } = world();
  const first = ask([1, 2], 0);
  const second = ask([2], 5);
  expect(sent).toEqual([
    [1, 1],
    [2, 1],
    [2, 2],
  ]);
  inquiries.answered(2, 2, "c");
  inquiries.answered(2, 1, "b");
  inquiries.answered(1, 1, "a");
  expect([...(await second)]).toEqual([[2, "c"]]);
  expect(Object.fromEntries(await first)).toEqual({ 1: "a", 2: "b" });
  expect([inquiries.size, inquiries.nextDueAt()]).toEqual([0, undefined]);
});

it("a worker that hangs holds nobody up for longer than a second, and answers too late then", async () => {
  const { inquiries, ask } = world();
  const asked = ask([1, 2], 100);
  inquiries.answered(1, 1, "a");
  expect(inquiries.nextDueAt()).toBe(1_100);
  inquiries.run(1_099);
  expect(inquiries.size).toBe(1);
  inquiries.run(1_100);
  expect([...(await asked)]).toEqual([[1, "a"]]);
  inquiries.answered(2, 1, "b");
  inquiries.answered(2, 99, "of a question that nobody has asked");
  expect(inquiries.size).toBe(0);
});

it("nobody waits for a worker that has gone, and a second answer is none", async () => {
  const { inquiries, ask } = world();
  const asked = ask([1, 2, 3], 0);
  inquiries.answered(1, 1, "a");
  inquiries.answered(1, 1, "again");
  inquiries.left(2);
  inquiries.left(3);
  expect([...(await asked)]).toEqual([[1, "a"]]);
});

it("what a worker has answered that ends meanwhile is left out", async () => {
  const { inquiries, ask } = world();
  const asked = ask([1, 2, 3], 0);
  inquiries.answered(1, 1, "a");
  inquiries.answered(2, 1, "b");
  inquiries.left(1);
  inquiries.answered(1, 1, "of the next one with its number");
  inquiries.answered(3, 1, "c");
  expect(Object.fromEntries(await asked)).toEqual({ 2: "b", 3: "c" });
});

it("without workers there is nobody to wait for", async () => {
  const { inquiries, ask } = world();
  expect((await ask([], 0)).size).toBe(0);
  expect(inquiries.size).toBe(0);
});
