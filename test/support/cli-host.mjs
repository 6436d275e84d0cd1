// Runs the command line as it was built, again and again, in one process: what most runs cost is the start of
// theirs. A line of JSON for each, `{ args, env }`, is answered by a line, `{ code, output, errors }`.

import { createInterface } from "node:readline";

const ENDED = new Error("the process would have ended here");
const answer = process.stdout.write.bind(process.stdout);

class Run {
  output = "";
  errors = "";
  #resolve;
  ended = new Promise((resolve) => {
    this.#resolve = resolve;
  });

  /** Only the first end counts: after it there would be no process. */
  end(code) {
    if (this.code !== undefined) return;
    this.code = code;
    this.#resolve();
  }

  capture(name) {
    return (text, ...rest) => {
      if (this.code === undefined) this[name] += text;
      if (typeof rest.at(-1) === "function") rest.at(-1)();
      return true;
    };
  }
}

let runs = 0;
process.on("uncaughtException", (error) => {
  if (error !== ENDED) throw error;
});
for await (const line of createInterface({ input: process.stdin })) {
  const { args, env } = JSON.parse(line);
  const run = new Run();
  process.env = env;
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  process.stdout.write = run.capture("output");
  process.stderr.write = run.capture("errors");
  process.exit = (code = 0) => {
    run.end(code);
    throw ENDED;
  };
  import(`../../dist/main.js?${runs++}`).then(
    () => run.end(0),
    (error) => run.end(String(error.stack)),
  );
  await run.ended;
  process.stdout.removeAllListeners("error");
  const { code, output, errors } = run;
  answer(`${JSON.stringify({ code, output, errors })}\n`);
}
