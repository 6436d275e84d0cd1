import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it, vi } from "vitest";
import type { PresenceClient, PresenceFilter } from "../../src/client/types.ts";
import { PresenceProvider } from "../../src/react/provider.ts";
import { type Presence, usePresence } from "../../src/react/use-presence.ts";

// On a server, where no effect runs; what effects do is tested in a browser.

it.each<PresenceFilter | null | undefined>([{}, { userIds: ["a"] }, null, undefined])(
  "with %j it is pending and empty, and subscribes to nothing while it renders",
  (filter) => {
    const client = { subscribe: vi.fn() };
    const seen: Presence[] = [];
    const Child = () => {
      seen.push(usePresence(filter));
      return null;
    };
    const provide = () =>
      renderToString(
        createElement(
          PresenceProvider,
          { client: client as unknown as PresenceClient },
          createElement(Child),
        ),
      );
    provide();
    provide();
    expect(seen[0]).toEqual({ users: new Map(), state: "pending", error: undefined });
    // React compares by identity, and would render without end.
    expect(seen[1]).toBe(seen[0]);
    expect(client.subscribe).not.toHaveBeenCalled();
  },
);
