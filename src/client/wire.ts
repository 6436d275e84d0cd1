/** What sessions, watches and queries need of the connection. */
export interface Wire {
  isConnected(): boolean;
  /** Whether what is sent would only wait. */
  isCongested(): boolean;
  /** Does nothing while not connected. */
  send(message: object): void;
}
