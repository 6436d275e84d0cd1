import { vi } from "vitest";
import type { CliDependencies } from "../../src/cli/cli-dependencies.ts";
import { createProgram } from "../../src/cli/program.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Dependencies of a program that finds no gateway in development mode. */
export const NO_GATEWAY: CliDependencies = {
  version: "0",
  settings: [],
  serve: async () => {},
  readDevCredentials: async () => undefined,
};

/** A command that runs in the process of the test. It writes into `output`, and its exit is only recorded. */
export class ProgramRun {
  output = "";
  exitCode: number | undefined;
  /** Resolves when the command returns or exits. Rejects with its error. */
  readonly over: Promise<void>;
  readonly #before = new Map(SIGNALS.map((name) => [name, process.listeners(name)]));

  constructor(args: readonly string[], dependencies: CliDependencies = NO_GATEWAY) {
    vi.spyOn(process.stdout, "write").mockImplementation(((text: string, onWritten?: () => void) => {
      this.output += text;
      onWritten?.();
      return true;
    }) as typeof process.stdout.write);
    const exited = new Promise<void>((resolve) => {
      vi.spyOn(process, "exit").mockImplementation(((code: number) => {
        this.exitCode = code;
        resolve();
      }) as typeof process.exit);
    });
    const returned = createProgram(dependencies).parseAsync(args, { from: "user" });
    this.over = Promise.race([exited, returned.then(() => {})]);
    // The test may look at the failure later.
    this.over.catch(() => {});
  }

  get lines(): string[] {
    return this.output.split("\n").slice(0, -1);
  }

  /** Calls the handlers of the command, as the signal would. */
  signal(name: (typeof SIGNALS)[number]): void {
    for (const listener of this.#added(name)) listener(name);
  }

  /** Removes what the command left in the process of the test. */
  restore(): void {
    for (const name of SIGNALS) {
      for (const listener of this.#added(name)) process.removeListener(name, listener);
    }
    vi.restoreAllMocks();
  }

  #added(name: (typeof SIGNALS)[number]): NodeJS.SignalsListener[] {
    const before = this.#before.get(name)!;
    return process.listeners(name).filter((listener) => !before.includes(listener));
  }
}
