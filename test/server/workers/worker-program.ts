import { ipcChannel } from "../../../src/server/workers/ipc-channel.ts";
import { WorkerNode } from "./worker-node.ts";

// A worker in a process of its own. It does what its parent says, and answers with what it shows.

const node = new WorkerNode(ipcChannel(process, "log"), process.env.NODE_ID!);
const orders = ipcChannel(process, "orders");
orders.onMessage((order) => {
  const [what, ...args] = order as [string, ...never[]];
  if (what === "open") node.open(...(args as [never, never]));
  if (what === "update") node.update(...(args as [never, never]));
  if (what === "resume") node.resume(...(args as [never]));
  orders.send({ isReady: node.isReady, shown: node.shown, log: node.log });
});
orders.onClose(() => process.exit(0));
