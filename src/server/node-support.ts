/**
 * The first release of each major version without known vulnerabilities that a client of the gateway could
 * use, such as ids that collide in V8's hash tables.
 */
const PATCHED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  20: [20, 2],
  22: [22, 2],
  24: [14, 1],
};

/** A warning for the operator if this version of Node has known vulnerabilities; undefined if it has none. */
export function nodeWarning(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const minimum = PATCHED[major];
  const isOld =
    minimum === undefined ? major < 25 : minor < minimum[0] || (minor === minimum[0] && patch < minimum[1]);
  if (!isOld) return undefined;
  const newest = minimum === undefined ? "24" : `${major}.${minimum.join(".")}`;
  return `Node ${version} has known vulnerabilities: take ${newest} or newer`;
}
