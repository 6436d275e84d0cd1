import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { PresenceProvider } from "../../src/react/provider.ts";
import { useMyStatus } from "../../src/react/use-my-status.ts";

// On a server, where no effect runs; what effects do is tested in a browser.

it("is not known on a server, where nothing connects", () => {
  const client = createClient({ url: "http://gateway", appId: "app", token: "token" });
  const Child = () => {
    const { status, text, emoji, set } = useMyStatus("alice");
    return JSON.stringify([status ?? null, text ?? null, emoji ?? null, typeof set]);
  };
  const html = renderToString(createElement(PresenceProvider, { client }, createElement(Child)));
  expect(JSON.parse(html.replaceAll("&quot;", '"'))).toEqual([null, null, null, "function"]);
  expect(client.status()).toBe("idle");
});
