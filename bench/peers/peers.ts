import type { ServerKind } from "../servers/server-kind.ts";
import { naive } from "./naive.ts";
import { socketIo, socketIoUws } from "./socket-io.ts";

/** What people would use instead of the gateway, each set up as its users would. */
export const PEERS: readonly ServerKind[] = [naive, socketIo, socketIoUws];
