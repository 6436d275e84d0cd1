/**
 * Sets how many bytes the head of a request may have for uWebSockets.js. It must be called before the library
 * is loaded.
 *
 * Relies on: the library reads `UWS_HTTP_MAX_HEADERS_SIZE` from the environment as it loads.
 * Why: its default of 4 KiB is too small for the URL of a stream whose filter names a thousand ids.
 * Without it: such requests get 431.
 */
export function setUwsHeaderLimit(bytes: number): void {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ||= String(bytes);
}
