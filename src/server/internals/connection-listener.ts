import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Takes from a new server of node:http its own listener for connections, which gives each connection a
 * parser. Returns that listener, to be called for the connections that may stay.
 *
 * Relies on: a server of node:http has one listener for "connection" from the start, and that is the
 * parser's.
 * Why: Node accepts one connection in a turn of the event loop, so a new client waits for all that came
 * before it. A parser is most of what a connection costs, and a connection that is refused needs none.
 * Without it: the function that is returned does nothing. Node would have to read connections in another way.
 */
export function takeConnectionListener(server: Server): (tcp: Socket) => void {
  const [parse] = server.listeners("connection") as ((this: Server, tcp: Socket) => void)[];
  if (parse === undefined) return () => {};
  server.removeListener("connection", parse);
  return (tcp) => parse.call(server, tcp);
}
