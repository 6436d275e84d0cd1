"use client";

import { type ClientOptions, createClient, type PresenceClient } from "@presence-gateway/client";
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
} from "react";

export type PresenceProviderProps = { readonly children?: ReactNode } & (
  | (ClientOptions & { readonly client?: undefined })
  /** A client that the application made, and closes. */
  | { readonly client: PresenceClient }
);

const Context = createContext<PresenceClient | undefined>(undefined);

/**
 * Gives its children a client: the one given, or one of its own. Its own is made anew when `url`, `appId` or
 * the text of `token` changes, and closed with the component.
 */
export function PresenceProvider(props: PresenceProviderProps): ReactElement {
  const own = useOwnClient(props.client === undefined ? props : undefined);
  return createElement(Context.Provider, { value: props.client ?? own }, props.children);
}

/** The client of the nearest provider above. Throws an `Error` if there is none. */
export function usePresenceClient(): PresenceClient {
  const client = useContext(Context);
  if (client === undefined) throw new Error("there is no <PresenceProvider> above this component");
  return client;
}

function useOwnClient(options: ClientOptions | undefined): PresenceClient | undefined {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const { url, appId, token } = options ?? {};
  // A function written in place is another one at each render: the latest is called.
  const tokenText = typeof token === "string" ? token : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the other options are read once
  const client = useMemo(() => {
    if (options === undefined) return undefined;
    const ask = () => {
      const { token: source } = latest.current ?? options;
      return typeof source === "function" ? source() : source;
    };
    return createClient({ ...options, token: tokenText ?? ask });
  }, [url, appId, tokenText]);
  useEffect(() => {
    if (client === undefined) return undefined;
    keep(client);
    return () => closeLater(client);
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
