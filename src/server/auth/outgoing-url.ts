import { isLoopback } from "./is-loopback.ts";

const MAX_URL_LENGTH = 2_048;

/**
 * Why the gateway must not send requests to this URL; undefined if it may. The problem does not repeat the
 * URL, which may contain a secret.
 */
export function outgoingUrlProblem(text: string): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `must have at most ${MAX_URL_LENGTH} characters`;
  if (!URL.canParse(text)) return "must be a URL";
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return "must be a URL without user and password";
  const isPlain = protocol === "http:" && isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"));
  return protocol === "https:" || isPlain
    ? undefined
    : "must be an https URL, or an http URL of a loopback address";
}
