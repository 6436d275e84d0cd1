import { vi } from "vitest";
import { WebSocket } from "ws";
import type { PresenceStore } from "../../../src/dashboard/store/presence-store.ts";
import { FakeServer } from "../../support/fake-server.ts";
import { fakeFrames } from "./fake-frames.ts";

/** A page without a browser, for the stores of the dashboard. Resolves with the server that it talks to. */
export async function openFakePage(): Promise<FakeServer> {
  const server = await FakeServer.start();
  vi.stubGlobal("location", { href: `${server.url}/dashboard/` });
  vi.stubGlobal("WebSocket", WebSocket);
  fakeFrames();
  return server;
}

export async function closeFakePage(server: FakeServer, store: PresenceStore): Promise<void> {
  store.close();
  vi.unstubAllGlobals();
  await server.stop();
}
