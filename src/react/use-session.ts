"use client";

import type { OpenOptions, PresenceClient, Session, SessionFields } from "@presence-gateway/client";
import * as React from "react";
import { usePresenceClient } from "./provider.ts";

/** What a component can do with its session. The fields of the session come from the options. */
export type SessionControls = Pick<Session, "typing" | "stopTyping" | "select" | "set">;

/**
 * Has a session as long as the component is mounted; null has none. A change in the options is sent; custom
 * fields that are no longer in them are deleted. Another kind, user, key or `trackFocus` is another session.
 * Throws a `TypeError` in an effect for fields that cannot be valid; what the gateway refuses comes to
 * `onEnd`.
 */
export function useSession(options: OpenOptions | null | undefined): SessionControls {
  const client = usePresenceClient();
  const [holder] = React.useState(() => new SessionHolder());
  const identity = options
    ? JSON.stringify([options.kind, options.userId, options.key, options.trackFocus])
    : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another identity is another session
  React.useEffect(() => {
    if (!options || identity === undefined) return undefined;
    holder.open(client, identity, options);
    return () => holder.closeSoon();
  }, [client, holder, identity]);
  React.useEffect(() => {
    if (options) holder.update(options);
  });
  return holder.controls;
}

class SessionHolder {
  readonly controls: SessionControls = {
    typing: () => this.#session?.typing(),
    stopTyping: () => this.#session?.stopTyping(),
    select: (conversationId) => this.#session?.select(conversationId),
    set: (fields) => this.#session?.set(fields),
  };
  #session: Session | undefined;
  #client: PresenceClient | undefined;
  #identity: string | undefined;
  #options: OpenOptions | undefined;
  #closing: ReturnType<typeof setTimeout> | undefined;

  open(client: PresenceClient, identity: string, options: OpenOptions): void {
    if (this.#closing !== undefined) {
      clearTimeout(this.#closing);
      this.#closing = undefined;
      // Strict mode unmounts a component and mounts it again at once: other users must not see that.
      if (this.#client === client && this.#identity === identity) return;
      this.#session?.close();
    }
    const onEnd: OpenOptions["onEnd"] = (reason) => this.#options?.onEnd?.(reason);
    this.#session = client.open({ ...options, onEnd });
    this.#client = client;
    this.#identity = identity;
    this.#options = options;
  }

  closeSoon(): void {
    this.#closing = setTimeout(() => {
      this.#closing = undefined;
      this.#session?.close();
      this.#session = undefined;
    });
  }

  update(options: OpenOptions): void {
    if (this.#options === undefined || this.#options === options) return;
    const fields = changes(this.#options, options);
    this.#options = options;
    this.#session?.set(fields);
  }
}

/**
 * What to set, from one render's options to the next. A field that is no longer there has its default again.
 */
function changes(before: OpenOptions, after: OpenOptions): SessionFields {
  const { visible = true, selectedConversationId = null, hasFocus = false, isIdle = false } = after;
  const isFocusChanged = after.trackFocus !== true && hasFocus !== (before.hasFocus ?? false);
  return {
    ...(visible !== (before.visible ?? true) && { visible }),
    ...(selectedConversationId !== (before.selectedConversationId ?? null) && { selectedConversationId }),
    ...(isFocusChanged && { hasFocus }),
    ...(isIdle !== (before.isIdle ?? false) && { isIdle }),
    custom: customPatch(before.custom ?? {}, after.custom ?? {}),
  };
}

type Custom = Readonly<Record<string, string | null>>;

function customPatch(before: Custom, after: Custom): Custom | undefined {
  const patch = new Map<string, string | null>();
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch.set(key, null);
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key) || before[key] !== value) patch.set(key, value);
  }
  return patch.size > 0 ? Object.fromEntries(patch) : undefined;
}
