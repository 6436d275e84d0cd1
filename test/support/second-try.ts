import { afterEach } from "vitest";

// A test that passes only when it is tried again is told of, and why: it is to be looked into, and not to be forgotten.
afterEach(({ task }) => {
  const { retryCount = 0, state, errors } = task.result ?? {};
  if (retryCount === 0 || state === "fail") return;
  const [why = ""] = (errors?.[0]?.message ?? "").split("\n", 1);
  process.stdout.write(`tried again: ${task.file.name} > ${task.name}: ${why.slice(0, 200)}\n`);
});
