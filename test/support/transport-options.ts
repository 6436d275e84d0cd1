import { TcpSlots } from "../../src/server/gateway/tcp-slots.ts";
import { BodyBudget } from "../../src/server/http/body-budget.ts";
import type { TransportOptions } from "../../src/server/transport/transport.ts";

const NO_PROXY = () => false;

/** Counts TCP connections as a transport of this name does, with a limit per address that no test reaches. */
export function tcpSlots(name: "ws" | "uws", maxConnections: number, isProxy = NO_PROXY): TcpSlots {
  const now = () => performance.now();
  const knowsConnections = name === "ws";
  return new TcpSlots({ maxConnections, maxPerAddress: maxConnections, isProxy, knowsConnections, now });
}

/** Options for a transport that the test does not depend on. */
export function limitsOf(
  name: "ws" | "uws",
): Pick<TransportOptions, "tcp" | "bodies" | "tcpRefused" | "bodyRefused" | "refuseHandshake"> {
  return {
    tcp: tcpSlots(name, 10_000),
    bodies: new BodyBudget(Number.MAX_SAFE_INTEGER),
    tcpRefused: () => {},
    bodyRefused: () => {},
    refuseHandshake: (_address, answer) => answer,
  };
}
