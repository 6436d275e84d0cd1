/** A method that throws at random while faults are injected. */
export interface InjectedMethod {
  /** Path of the class's module in src, without its ending. */
  readonly module: string;
  readonly className: string;
  readonly method: string;
  /** One call in this many throws. */
  readonly oneIn: number;
}

/** Methods that encode, flush and deliver. */
export const INJECTED_METHODS: readonly InjectedMethod[] = [
  { module: "core/sessions/user-row", className: "UserRow", method: "encodedEntry", oneIn: 50 },
  { module: "core/views/view", className: "View", method: "flush", oneIn: 20 },
  { module: "server/gateway/subscription", className: "Subscription", method: "deliver", oneIn: 100 },
  { module: "server/gateway/send-queue", className: "SendQueue", method: "offer", oneIn: 100 },
  { module: "server/gateway/send-queue", className: "SendQueue", method: "send", oneIn: 500 },
];
