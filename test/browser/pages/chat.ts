// A chat with one input, as an application would have it. It starts with each page and records what it sees.
import { createClient, type PresenceChange, type Status } from "@presence-gateway/client";

declare const config: { readonly url: string; readonly appId: string; readonly token: string };

const seen: string[] = [];
const statuses: Status[] = [];
const events: string[] = [];

const presence = createClient(config);
presence.on("status", (status) => statuses.push(status));
const session = presence.open({ kind: "widget", selectedConversationId: "c1", trackFocus: true });

const input = document.body.appendChild(document.createElement("input"));
input.addEventListener("input", () => session.typing());
const line = document.body.appendChild(document.createElement("p"));

const subscription = presence.subscribe({ selectedConversationId: "c1" }, (users, change: PresenceChange) => {
  for (const userId of change.entered) seen.push(`+${userId}`);
  for (const { userId, cause } of change.left) seen.push(`-${userId} ${cause}`);
  const typing = [...users].filter(([, { widgets }]) => widgets.some(({ isTyping }) => isTyping));
  line.textContent = typing.map(([userId]) => `${userId} is typing`).join();
});
for (const type of ["pageshow", "pagehide"]) {
  addEventListener(type, (event) => events.push(`${type} ${(event as PageTransitionEvent).persisted}`));
}

Object.assign(globalThis, { presence, session, subscription, seen, statuses, events });
