interface HeadWriter {
  writeStatus(status: string): unknown;
}

/**
 * Sends "100 Continue" through a response of uWebSockets.js, which is not answered by it. The status line of
 * the response itself then has to be written with `afterContinue`.
 *
 * Relies on: `writeStatus` copies the text as it is, line ends included, writes a status line once for each
 * response, and sends it when the cork of the handler is removed.
 * Why: the library sends "100 Continue" only where `Expect` has small letters, and clients in Java write
 * `100-Continue`. They would wait for ever.
 * Without it: a build that escapes line ends would make the response malformed for these clients.
 */
export function sendContinue(response: HeadWriter): void {
  response.writeStatus("100 Continue\r\n");
}

/**
 * The name of the first header, with the status line before it.
 *
 * Relies on: `writeHeader` copies the name as it is.
 */
export function afterContinue(statusLine: string, firstName: string): string {
  return `HTTP/1.1 ${statusLine}\r\n${firstName}`;
}
