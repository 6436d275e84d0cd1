import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import type { PresenceClient } from "../../src/client/types.ts";
import { PresenceProvider } from "../../src/react/provider.ts";
import { useStatus } from "../../src/react/use-status.ts";

it("is idle on a server, where nothing connects", () => {
  const client = { status: () => "connected", on: () => () => {} } as unknown as PresenceClient;
  const Child = () => useStatus();
  expect(renderToString(createElement(PresenceProvider, { client }, createElement(Child)))).toBe("idle");
});
