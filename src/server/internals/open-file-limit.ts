/**
 * How many files this process may have open; undefined if Node does not tell.
 *
 * Relies on: the field `userLimits.open_files` of Node's diagnostic report. Node has no other way to ask for
 * the limit (`getrlimit`). A report also looks up the names of peers, which can take seconds at start, so the
 * network part is left out: `excludeNetwork` is not in the types of Node 20.
 * Without it: the settings assume 10,000 files, and warn of nothing.
 *
 * A report takes 10 ms of the event loop, and nothing in Node changes the limit, so this asks once.
 */
export function openFileLimit(): number | undefined {
  known ??= { limit: askLimit() };
  return known.limit;
}

let known: { readonly limit: number | undefined } | undefined;

function askLimit(): number | undefined {
  if (process.report === undefined) return undefined;
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : undefined;
}
