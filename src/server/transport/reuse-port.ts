/**
 * Whether node:http can share a port by SO_REUSEPORT (Node 22.12 and 23.1), and the system then gives each
 * process its part of the connections. Elsewhere `node:cluster` has the workers listen on one socket.
 */
export function hasReusePort(
  platform: string = process.platform,
  version: string = process.versions.node,
): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return (
    balancesPorts(platform) && (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12))
  );
}

/**
 * Whether the system spreads the connections over the processes that listen on one port by SO_REUSEPORT. On
 * others all of them would go to one process.
 */
export function balancesPorts(platform: string = process.platform): boolean {
  return platform === "linux";
}
