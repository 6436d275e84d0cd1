import type { ServerKind } from "../servers/server-kind.ts";
import { centrifuge } from "./centrifuge.ts";
import { centrifugo } from "./centrifugo.ts";
import { naive } from "./naive.ts";
import { nchan } from "./nchan.ts";
import { socketIo, socketIoUws } from "./socket-io.ts";
import { sockudo } from "./sockudo.ts";

/** Servers that people use instead of the gateway, each with its usual set-up. */
export const PEERS: readonly ServerKind[] = [
  naive,
  socketIo,
  socketIoUws,
  centrifuge,
  ...centrifugo,
  sockudo,
  nchan,
];
