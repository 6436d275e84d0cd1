import { afterEach, beforeEach } from "vitest";
import { StubApi } from "../support/stub-api.ts";
import { ProgramRun } from "./program-run.ts";

/** A command that asks the HTTP API, beside a stub of that for each test of the file. */
export class ApiCommand {
  #api: StubApi | undefined;
  #run: ProgramRun | undefined;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    beforeEach(async () => {
      this.#api = await StubApi.start();
    });
    afterEach(async () => {
      this.#run?.restore();
      this.#run = undefined;
      await this.#api!.stop();
    });
  }

  get api(): StubApi {
    return this.#api!;
  }

  /** The last run. */
  get run(): ProgramRun {
    return this.#run!;
  }

  /** Runs the command. Rejects with its error. */
  async call(...args: readonly string[]): Promise<void> {
    this.#run = new ProgramRun([this.#name, ...args, ...this.api.options]);
    await this.#run.over;
  }
}
