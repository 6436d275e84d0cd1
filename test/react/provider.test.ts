import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, it, vi } from "vitest";
import type { PresenceClient } from "../../src/client/types.ts";
import { PresenceProvider, usePresenceClient } from "../../src/react/provider.ts";

// On a server, where no effect runs; what effects do is tested in a browser.

describe("a provider", () => {
  it("gives the client that the application made", () => {
    const client = {} as PresenceClient;
    let found: PresenceClient | undefined;
    const Child = () => {
      found = usePresenceClient();
      return null;
    };
    renderToString(createElement(PresenceProvider, { client }, createElement(Child)));
    expect(found).toBe(client);
  });

  it("makes one of its own, which does not connect before it is needed", () => {
    const WebSocket = vi.fn();
    let found: PresenceClient | undefined;
    const Child = () => {
      found = usePresenceClient();
      return null;
    };
    const options = { url: "http://gateway", appId: "app", token: "t", WebSocket: WebSocket as never };
    renderToString(createElement(PresenceProvider, options, createElement(Child)));
    expect(found?.status()).toBe("idle");
    expect(WebSocket).not.toHaveBeenCalled();
  });

  it("is missed by name", () => {
    const Child = () => {
      usePresenceClient();
      return null;
    };
    expect(() => renderToString(createElement(Child))).toThrow("there is no <PresenceProvider>");
  });
});
