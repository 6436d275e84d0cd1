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
  /** One that the application made, and closes. */
  | { readonly client: PresenceClient }
);

const Context = createContext<PresenceClient | undefined>(undefined);

/** Gives its children a client: the one given, or one of its own, made anew when its address, app or token text changes. */
export function PresenceProvider(props: PresenceProviderProps): ReactElement {
  const own = useOwnClient(props.client === undefined ? props : undefined);
  return createElement(Context.Provider, { value: props.client ?? own }, props.children);
}

/** The client of the provider above. */
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
  // A function is another one at each render, most of the time: the latest is asked.
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
    return () => letGo(client);
  }, [client]);
  return client;
}

/** Strict mode takes everything down and puts it up again at once: a client that is back in a moment was never gone. */
const going = new WeakMap<PresenceClient, ReturnType<typeof setTimeout>>();

function keep(client: PresenceClient): void {
  clearTimeout(going.get(client));
}

function letGo(client: PresenceClient): void {
  going.set(
    client,
    setTimeout(() => void client.close()),
  );
}
