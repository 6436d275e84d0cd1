import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { PresenceProvider } from "../../src/react/provider.ts";
import { usePresenceCount } from "../../src/react/use-presence-count.ts";

// On a server, where no effect runs; what effects do is tested in a browser.

it("is pending on a server, and counts nothing while it renders", () => {
  const client = createClient({ url: "http://gateway", appId: "app", token: "token" });
  const Child = () => {
    const { count, state } = usePresenceCount({ isTyping: true });
    return `${count} ${state} ${usePresenceCount(null).state}`;
  };
  expect(renderToString(createElement(PresenceProvider, { client }, createElement(Child)))).toBe(
    "undefined pending pending",
  );
  expect(client.status()).toBe("idle");
});
