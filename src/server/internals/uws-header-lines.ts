/**
 * Writes the headers of a response of uWebSockets.js, all in one call.
 *
 * Relies on: `writeHeader` copies the value as it is, line ends included, so a value may hold further header
 * lines.
 * Why: each call into the library costs as much as all headers do in one.
 * Without it: a build that refuses or escapes line ends would lose the headers after the first.
 */
export function writeHeaderLines(
  response: { writeHeader(name: string, value: string): unknown },
  headers: Readonly<Record<string, string>>,
): void {
  let first: string | undefined;
  let rest = "";
  for (const name in headers) {
    if (first === undefined) {
      first = name;
      rest = headers[name]!;
    } else rest += `\r\n${name}: ${headers[name]}`;
  }
  if (first !== undefined) response.writeHeader(first, rest);
}
