import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it, vi } from "vitest";
import type { OpenOptions, PresenceClient } from "../../src/client/types.ts";
import { PresenceProvider } from "../../src/react/provider.ts";
import { type SessionControls, useSession } from "../../src/react/use-session.ts";

// On a server, where no effect runs; what effects do is tested in a browser.

it.each<OpenOptions | null | undefined>([{ kind: "widget" }, null, undefined])(
  "with %j it opens nothing while it renders, and its controls do no harm",
  (options) => {
    const client = { open: vi.fn() };
    let controls: SessionControls | undefined;
    const Child = () => {
      controls = useSession(options);
      return null;
    };
    renderToString(
      createElement(PresenceProvider, { client: client as unknown as PresenceClient }, createElement(Child)),
    );
    controls!.typing();
    controls!.stopTyping();
    controls!.select("c1");
    controls!.set({ visible: false });
    expect(client.open).not.toHaveBeenCalled();
  },
);
