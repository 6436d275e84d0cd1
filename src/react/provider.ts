"use client";

import { type ClientOptions, createClient, type PresenceClient } from "@presence-gateway/client";
import * as React from "react";

export type PresenceProviderProps = { readonly children?: React.ReactNode } & (
  | (ClientOptions & { readonly client?: undefined })
  /** A client that the application made, and closes. */
  | { readonly client: PresenceClient }
);

// A server component may import this module; its React has no context.
const Context = React.createContext?.<PresenceClient | undefined>(undefined);

/**
 * Gives its children a client: the one given, or one of its own. Its own is made anew when `url`, `appId` or
 * the text of `token` changes, and closed with the component. Give `token` as a function: a text expires, and
 * with it all that is shown. Of a function the latest is called; for another user, set another `key`.
 */
export function PresenceProvider(props: PresenceProviderProps): React.ReactElement {
  const own = useOwnClient(props.client === undefined ? props : undefined);
  return React.createElement(Context.Provider, { value: props.client ?? own }, props.children);
}

/** The client of the nearest provider above. Throws an `Error` if there is none. */
export function usePresenceClient(): PresenceClient {
  const client = React.useContext(Context);
  if (client === undefined) throw new Error("there is no <PresenceProvider> above this component");
  return client;
}

function useOwnClient(options: ClientOptions | undefined): PresenceClient | undefined {
  const latest = React.useRef<{ options: typeof options; client?: PresenceClient | undefined }>({ options });
  const [made, setMade] = React.useState(0);
  const { url, appId, token } = options ?? {};
  // A function written in place is another one at each render: the latest is called.
  const tokenText = typeof token === "string" ? token : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the other options are read once
  const client = React.useMemo(() => {
    if (options === undefined) return undefined;
    const ask = () => {
      const { token: source } = latest.current.options ?? options;
      return typeof source === "function" ? source() : source;
    };
    return createClient({ ...options, token: tokenText ?? ask });
  }, [url, appId, tokenText, made]);
  React.useInsertionEffect(() => {
    latest.current = { options, client };
  });
  React.useEffect(() => {
    if (client === undefined) return undefined;
    // Hidden for a while by <Activity>, which unmounts effects only.
    if (client.status() === "closed") setMade((count) => count + 1);
    keep(client);
    return () => {
      // The sessions of one that is replaced end before those of the next begin, which can have their keys.
      if (latest.current.client === client) closeLater(client);
      else void client.close();
    };
  }, [client]);
  return client;
}

/**
 * Strict mode unmounts every component once and mounts it again at once: its client must not be closed by
 * that.
 */
const closing = new WeakMap<PresenceClient, ReturnType<typeof setTimeout>>();

function keep(client: PresenceClient): void {
  clearTimeout(closing.get(client));
}

function closeLater(client: PresenceClient): void {
  closing.set(
    client,
    setTimeout(() => void client.close()),
  );
}
