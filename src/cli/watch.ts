import type { Command } from "commander";
import type { CliDependencies } from "./cli-dependencies.ts";
import { addFilterOptions, type FilterOptions, readFilter } from "./filter-options.ts";
import { finish } from "./finish.ts";
import { addTargetOptions, findTarget, type Target } from "./target.ts";
import type { WatchOutput } from "./watch/watch-output.ts";

interface WatchOptions extends FilterOptions {
  readonly json?: true;
}

export function addWatch(program: Command, dependencies: CliDependencies): void {
  const watch = program
    .command("watch")
    .summary("see live who is there")
    .description(
      "Shows live who is there: a table on a terminal, lines elsewhere. " +
        "It connects again by itself; Ctrl-C ends it.",
    );
  addFilterOptions(watch).optionsGroup("Options:").option("--json", "print JSON lines, for programs");
  addTargetOptions(watch)
    .addHelpText(
      "after",
      `
With --json, the first line is {"type":"snapshot","data":{…}} with everyone by user id. Then one for each change:
{"type":"entered"|"updated","userId":…,"value":{…}}, {"type":"left","userId":…,"cause":…}; and
{"type":"status","status":"reconnecting"|"connected"} when the connection is lost and made again.

Exit codes: 0 it was asked to end (Ctrl-C, SIGTERM, or nobody reads its output any more), 2 it cannot watch.

Examples:
  $ npx presence-gateway watch
  $ npx presence-gateway watch --conversation c1 --typing
  $ npx presence-gateway watch --json | jq --unbuffered 'select(.type == "left")'`,
    )
    .action(async (options: WatchOptions, command: Command) => {
      const filter = await readFilter(options);
      const target = await findTarget(command, dependencies);
      const { connectTo, toCliError } = await import("./gateway-client.ts");
      const output = await createOutput(options, target);
      const gateway = connectTo(target);
      const { client } = gateway;
      const asked = new Promise<void>((resolve) => {
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve());
      });
      const failed = new Promise<never>((_, reject) => {
        let wasConnected = false;
        client.on("status", (status, detail) => {
          if (status === "failed") reject(detail.error);
          wasConnected ||= status === "connected";
          // Nothing to show before the first snapshot: it arrives, or the command fails.
          if (wasConnected && status !== "failed")
            output.status(status, detail, gateway.problem() ?? detail.error?.message);
        });
        client.subscribe(filter, (snapshot, change) => output.change(snapshot, change), { onError: reject });
      });
      try {
        await Promise.race([asked, failed, gateway.unreachable]);
      } catch (error) {
        throw toCliError(error);
      } finally {
        output.end();
      }
      await gateway.close();
      await finish(0);
    });
}

async function createOutput({ json }: WatchOptions, target: Target): Promise<WatchOutput> {
  const { stdout } = process;
  const write = (text: string) => void stdout.write(text);
  if (json) {
    const { JsonLines } = await import("./watch/json-lines.ts");
    return new JsonLines(write);
  }
  if (!stdout.isTTY || process.env.TERM === "dumb") {
    const { PlainLines } = await import("./watch/plain-lines.ts");
    return new PlainLines(write, () => new Date());
  }
  const { Screen } = await import("./watch/screen.ts");
  const { LiveTable } = await import("./watch/live-table.ts");
  const screen = new Screen(stdout);
  const table = new LiveTable(screen, `${target.appId} at ${target.url}`);
  stdout.on("resize", () => table.redraw());
  // Restores the terminal in all cases.
  process.on("exit", () => screen.leave());
  process.on("SIGTSTP", () => {
    screen.leave();
    process.kill(process.pid, "SIGSTOP");
  });
  process.on("SIGCONT", () => table.redraw());
  return table;
}
