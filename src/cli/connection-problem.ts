/** What to do about credentials that the gateway does not take. */
export const CHECK_CREDENTIALS = "check APP_ID and APP_SECRET, or APP_TOKEN";

/** Why there is no connection. For a server without TLS, Node names a line of OpenSSL and no way out. */
export function connectionProblem({ code, message }: NodeJS.ErrnoException): string {
  if (code === "EPROTO" || code?.startsWith("ERR_SSL_"))
    return `TLS fails there (${code}): does the address begin with http:// instead of https://?`;
  // After trying several addresses of one name, the error has a code and no message.
  return message || code || "the connection failed";
}
