import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { BodyBudget } from "../../../src/server/http/body-budget.ts";
import { CheckTurns } from "../../../src/server/http/check-turns.ts";
import { type HttpResponse, jsonResponse } from "../../../src/server/http/exchange.ts";

/** As long as 10,000 ids of ten characters. */
const LONG = Buffer.alloc(130_000, "x");
/** The bytes that may wait. One app has a quarter of them. */
const MAX_WAITING = 64 * 1024 * 1024;

function setUp() {
  const done: string[] = [];
  let refused = 0;
  const bodies = new BodyBudget(8 * MAX_WAITING);
  const turns = new CheckTurns(
    bodies,
    () => refused++,
    (error) => expect.fail(String(error)),
  );
  const run = (name: string, body = LONG, owner = "app") =>
    turns.run(owner, body, (given) => {
      expect(given.equals(body)).toBe(true);
      if (name === "bad") throw new Error("bad");
      done.push(name);
      return jsonResponse(200, { name });
    });
  return { run, done, bodies, refused: () => refused };
}

it("long checks that arrive at once are done one in a turn, in order", async () => {
  const { run, done } = setUp();
  const asked = Array.from({ length: 20 }, (_, i) => run(`${i}`));
  expect(done).toEqual(["0"]);
  let before = 1;
  for (let turn = 0; done.length < 20; turn++) {
    expect(turn).toBeLessThan(100);
    await nextTurn();
    expect(done.length - before).toBeLessThanOrEqual(1);
    before = done.length;
  }
  expect(done).toEqual(asked.map((_, i) => `${i}`));
  const answers = await Promise.all(asked);
  expect(answers.map(({ body }) => body)).toEqual(done.map((name) => JSON.stringify({ name })));
});

it("short ones are done at once, as long as no long one is", async () => {
  const { run, done } = setUp();
  const short = Buffer.alloc(1_000, "x");
  const answers = Array.from({ length: 50 }, (_, i) => run(`${i}`, short));
  expect(done).toHaveLength(50);
  expect(answers.every((answer) => !(answer instanceof Promise))).toBe(true);
  run("long");
  const late = run("late", short);
  expect(late).toBeInstanceOf(Promise);
  expect(((await late) as HttpResponse).status).toBe(200);
});

it("an app does not wait for the many checks of another, and one that fails fails alone", async () => {
  const { run, done } = setUp();
  for (let i = 0; i < 30; i++) void run(`loud ${i}`);
  const bad = run("bad", LONG, "other");
  const quiet = run("quiet", LONG, "other");
  await expect(bad).rejects.toThrow("bad");
  await quiet;
  expect(done.length).toBeLessThan(6);
  while (done.length < 31) await nextTurn();
  expect(done.at(-1)).toBe("loud 29");
});

it("an app lets only so many bytes wait, which it gets back, and others may wait all the same", async () => {
  const { run, done, bodies, refused } = setUp();
  const answers = Array.from({ length: 400 }, () => run("many"));
  const whole = answers.filter((answer) => !(answer instanceof Promise)) as HttpResponse[];
  expect(whole.filter(({ status }) => status === 503)).toHaveLength(refused());
  expect(whole[1]!.headers["retry-after"]).toBe("1");
  const waiting = answers.length - whole.length;
  expect(waiting * LONG.length).toBeLessThanOrEqual(MAX_WAITING / 4);
  expect(waiting).toBeGreaterThan(100);
  expect(run("other", LONG, "other")).toBeInstanceOf(Promise);
  while (done.length < waiting + 2) await nextTurn();
  const again = Array.from({ length: 100 }, () => run("again"));
  expect((await Promise.all(again)).every(({ status }) => status === 200)).toBe(true);
  expect(bodies.bytes).toBe(0);
  // Bodies that are being read count too.
  bodies.take("app", MAX_WAITING / 4);
  run("first");
  expect(await run("second")).toMatchObject({ status: 503 });
});
