import { useState } from "preact/hooks";
import type { Credentials } from "../model/credentials.ts";
import { clockTime } from "../model/format.ts";
import { type TokenWarning, tokenWarning } from "../model/token-warning.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { TokenForm } from "./token-form.tsx";

interface Props {
  readonly credentials: Credentials;
  readonly store: PresenceStore;
  readonly onRenew: (credentials: Credentials) => void;
}

/** Says when the token is about to end or has ended, and takes another one. The page goes on with that. */
export function TokenNotice({ credentials, store, onRenew }: Props) {
  useTopic(store.ticked);
  useTopic(store.changed);
  const [isOpen, setOpen] = useState(false);
  const warning = tokenWarning(credentials, store.phase.kind === "refused", Date.now());
  if (warning.kind === "none") return null;
  return (
    <section class={`token-notice ${warning.kind}`} aria-label="Token">
      <p class="token-text">
        {/* The time and not what is left of it: this is read aloud when it changes. */}
        <span role="status">{text(warning)}</span>
        <button class="button" type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Not now" : "Enter another token"}
        </button>
      </p>
      {isOpen && (
        <TokenForm
          action="Continue"
          appId={credentials.appId}
          onToken={(renewed) => {
            setOpen(false);
            onRenew(renewed);
          }}
        />
      )}
    </section>
  );
}

function text(warning: Exclude<TokenWarning, { kind: "none" }>): string {
  switch (warning.kind) {
    case "ends":
      return `Your token ends at ${clockTime(warning.at)}. With another one the page goes on as it is.`;
    case "ended":
      return `Your token ended at ${clockTime(warning.at)}. With another one the page goes on from there.`;
    case "refused":
      return "The gateway does not accept your token. With another one the page goes on.";
  }
}
