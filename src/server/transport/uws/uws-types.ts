// The part of uWebSockets.js that is used here. Its packaged builds come without types.

/**
 * What the library did with a message: some of it waits for the network, all of it is sent, or none of it
 * will be.
 */
export const SEND_STATUS = { queued: 0, sent: 1, dropped: 2 } as const;
export type SendStatus = (typeof SEND_STATUS)[keyof typeof SEND_STATUS];

export interface UwsWebSocket<UserData> {
  getUserData(): UserData;
  send(message: string | Uint8Array, isBinary: boolean, compress: boolean): SendStatus;
  /** What `act` sends leaves in one write, or more if it is longer than the library's buffer of 16 KiB. */
  cork(act: () => void): unknown;
  ping(): number;
  /** Sends a close frame; calls the close handler before it returns. */
  end(code: number, reason: string): void;
  /** Drops the connection; calls the close handler before it returns. */
  close(): void;
  getBufferedAmount(): number;
}

export interface UwsRequest {
  getMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
  getHeader(lowerCaseName: string): string;
  forEach(visit: (name: string, value: string) => void): void;
}

export interface UwsResponse {
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  /** False: bytes wait. */
  write(chunk: string | Uint8Array): boolean;
  end(body?: string | Uint8Array, closeConnection?: boolean): UwsResponse;
  /**
   * Sends a body, or what is left of it, as far as the kernel takes it at once, after a head that says how
   * long all of it is. First of the pair: all of it is out. Until it is, the request has no answer yet.
   */
  tryEnd(body: string | Uint8Array, totalLength: number): [isOut: boolean, isDone: boolean];
  endWithoutBody(reportedContentLength?: number, closeConnection?: boolean): UwsResponse;
  /** Bytes of the body that the kernel has taken, or a cork. */
  getWriteOffset(): number;
  /** Reads nothing from the connection any more. */
  pause(): void;
  /** Drops the connection; calls the aborted handler. */
  close(): UwsResponse;
  cork(write: () => void): UwsResponse;
  onAborted(handler: () => void): UwsResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
  /** `offset`: bytes of the body that are out. */
  onWritable(handler: (offset: number) => boolean): UwsResponse;
  getRemoteAddressAsText(): ArrayBuffer;
  upgrade<UserData>(
    userData: UserData,
    key: string,
    protocol: string,
    extensions: string,
    context: UwsContext,
  ): void;
}

declare const contextBrand: unique symbol;
export interface UwsContext {
  readonly [contextBrand]: true;
}

export interface UwsBehavior<UserData> {
  maxPayloadLength: number;
  maxBackpressure: number;
  idleTimeout: number;
  maxLifetime: number;
  sendPingsAutomatically: boolean;
  closeOnBackpressureLimit: boolean;
  compression: number;
  upgrade(response: UwsResponse, request: UwsRequest, context: UwsContext): void;
  open(webSocket: UwsWebSocket<UserData>): void;
  message(webSocket: UwsWebSocket<UserData>, message: ArrayBuffer, isBinary: boolean): void;
  drain(webSocket: UwsWebSocket<UserData>): void;
  ping(webSocket: UwsWebSocket<UserData>): void;
  pong(webSocket: UwsWebSocket<UserData>): void;
  close(webSocket: UwsWebSocket<UserData>, code: number): void;
}

declare const listenBrand: unique symbol;
export interface UwsListenSocket {
  readonly [listenBrand]: true;
}

export interface UwsApp {
  ws<UserData>(pattern: string, behavior: UwsBehavior<UserData>): UwsApp;
  /** `change` is 1 when a TCP connection comes, and -1 when one goes that was not upgraded. */
  filter(handler: (response: UwsResponse, change: number) => void): UwsApp;
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(
    host: string,
    port: number,
    options: number,
    listening: (socket: UwsListenSocket | false) => void,
  ): UwsApp;
  /** Drops every connection. */
  close(): UwsApp;
}

export interface UwsModule {
  App(): UwsApp;
  us_listen_socket_close(socket: UwsListenSocket): void;
  us_socket_local_port(socket: UwsListenSocket): number;
  readonly DISABLED: number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}
