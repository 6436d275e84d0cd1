import { once } from "node:events";
import { createServer } from "node:net";

/** What the operator can do about an error of the system, by its code. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program uses this port: end it, or set PORT to another one",
  EACCES: "this user may not use this port: set PORT to one from 1024 on",
  EADDRNOTAVAIL: "this machine has no such address: set HOST to one of its own",
  ENOTFOUND: "there is no such name: set HOST to an address of this machine",
};

/** The error of a transport that cannot listen, in one line. `code` is that of the system, if it is known. */
export function listenError(host: string, port: number, code = "EADDRINUSE"): Error {
  const remedy = REMEDIES[code] ?? "set HOST and PORT to others";
  return Object.assign(new Error(`cannot listen on ${host}:${port} (${code}): ${remedy}`), { code });
}

/** A port that is free now, for several processes to listen on. @throws What `listenError` makes. */
export async function freePort(host: string): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port: 0, exclusive: true });
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  } catch (error) {
    throw listenError(host, 0, (error as NodeJS.ErrnoException).code);
  } finally {
    server.close();
  }
}

/** Tries to listen as well, for a library that does not say why it could not. Undefined: that works now. */
export async function listenErrorCode(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    server.close();
  }
}
