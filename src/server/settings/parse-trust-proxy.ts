import proxyAddr from "proxy-addr";
import { quote } from "./one-line.ts";
import { SettingsError } from "./settings-error.ts";

/** Whether the program at this address is a proxy of ours, whose X-Forwarded-For is to be believed. */
export type TrustProxy = (address: string, hop: number) => boolean;

/** Addresses or networks, with commas between. @throws SettingsError. */
export function parseTrustProxy(text: string, env: string): TrustProxy {
  try {
    return proxyAddr.compile(text.split(",").map((each) => each.trim()));
  } catch {
    throw new SettingsError(
      `${env} must be addresses or networks with commas between, such as 10.0.0.0/8, but is ${quote(text)}`,
    );
  }
}
