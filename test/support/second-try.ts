import { afterEach } from "vitest";

// A test that passes only when it is tried again is told of: it is to be looked into, and not to be forgotten.
afterEach(({ task }) => {
  const { retryCount = 0, state } = task.result ?? {};
  if (retryCount > 0 && state !== "fail")
    process.stdout.write(`tried again: ${task.file.name} > ${task.name}\n`);
});
