/** The first release of each line that mends what a gateway's clients could make use of, such as ids that collide in V8's tables. */
const MENDED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  20: [20, 2],
  22: [22, 2],
  24: [14, 1],
};

/** What to tell an operator whose Node has holes that are known; undefined if there is nothing to tell. */
export function nodeWarning(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const floor = MENDED[major];
  const isOld =
    floor === undefined ? major < 25 : minor < floor[0] || (minor === floor[0] && patch < floor[1]);
  if (!isOld) return undefined;
  const newest = floor === undefined ? "24" : `${major}.${floor.join(".")}`;
  return `Node ${version} has known vulnerabilities: take ${newest} or newer`;
}
