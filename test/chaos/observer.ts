import { isDeepStrictEqual } from "node:util";
import type { ChaosOracle, Invariant } from "./oracle.ts";
import { type Result, rowsOf, type Value } from "./result.ts";

/**
 * One subscription. It rebuilds the result from the messages and checks every message against the contract.
 */
export class Observer {
  readonly name: string;
  readonly #oracle: ChaosOracle;
  readonly #seesAll: boolean;
  #view: string | undefined;
  #version = 0;
  #data = new Map<string, Value>();
  /** The pages of a snapshot so far. */
  #pages: Map<string, Value> | undefined;
  /** The connection was lost, so a snapshot or `resumed` must come next. */
  #isCut = true;
  diffs = 0;
  snapshots = 0;
  /** Called when a user enters or leaves. */
  onPresence: ((userId: string, isThere: boolean) => void) | undefined;

  constructor(oracle: ChaosOracle, name: string, seesAll: boolean) {
    this.#oracle = oracle;
    this.name = name;
    this.#seesAll = seesAll;
  }

  get data(): Result {
    return Object.assign(Object.create(null), Object.fromEntries(this.#data));
  }

  /** A frame as it arrived. Other messages are only searched for secrets. */
  received(text: string, at: number): void {
    this.#oracle.output(this.name, text, at);
    const message = JSON.parse(text);
    if (message.type === "snapshot") this.#snapshot(message, at);
    else if (message.type === "diff") this.#diff(message, at);
    else if (message.type === "resumed") this.#resumed(message, at);
  }

  /** The position for `since`; undefined if it cannot resume. */
  get position(): { readonly view: string; readonly version: number } | undefined {
    return this.#view === undefined ? undefined : { view: this.#view, version: this.#version };
  }

  /** The connection is lost, so the result may be outdated. */
  cut(): void {
    this.#isCut = true;
    this.#pages = undefined;
  }

  /** The result came from another gateway. */
  forget(): void {
    this.cut();
    this.#view = undefined;
    this.#data = new Map();
  }

  /** Compares with the HTTP response to the same filter, while nothing changes. */
  compare(result: Result, at: number): void {
    const name = `${this.name} at version ${this.#version}`;
    if (this.#isCut) return this.#oracle.violated("I4", at, undefined, `${name}: has no snapshot`);
    this.#oracle.compare(name, Object.fromEntries(this.#data), result, at);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #snapshot({ view, version, data, more }: any, at: number): void {
    const isFirst = this.#pages === undefined;
    if (!isFirst && (view !== this.#view || version !== this.#version))
      this.#oracle.violated("I4", at, undefined, `${this.name}: a page of another state`);
    this.#pages ??= new Map();
    this.#view = view;
    this.#version = version;
    for (const [userId, value] of Object.entries(data)) this.#pages.set(userId, value as Value);
    if (more) return;
    const before = this.#data;
    this.#data = this.#pages;
    this.#pages = undefined;
    this.#isCut = false;
    this.snapshots++;
    for (const userId of new Set([...before.keys(), ...this.#data.keys()]))
      this.#changed(userId, before.get(userId), this.#data.get(userId), at, "snapshot");
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #resumed({ view, version }: any, at: number): void {
    if (view !== this.#view || version !== this.#version)
      this.#oracle.violated("I4", at, undefined, `${this.name}: resumed at a position that it was not at`);
    this.#isCut = false;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the gateway
  #diff({ view, version, data, causes }: any, at: number): void {
    const problem = (invariant: Invariant, what: string, userId?: string) =>
      this.#oracle.violated(invariant, at, userId, `${this.name}: ${what}`);
    if (this.#isCut) return problem("I4", "a diff before the snapshot");
    if (this.#pages !== undefined) problem("I4", "a diff between the pages of a snapshot");
    if (view !== this.#view) problem("I4", "a diff of another view");
    if (version !== this.#version + 1) problem("I4", `version ${this.#version}, then ${version}`);
    this.#version = version;
    this.diffs++;
    const changes = Object.entries(data) as [string, Value | null][];
    if (changes.length === 0) problem("I4", "an empty diff");
    for (const [userId, value] of changes) {
      const before = this.#data.get(userId);
      if (value === null) {
        if (before === undefined) problem("I3", "left, but was not there", userId);
        if (causes?.[userId] === undefined) problem("I3", "left without a cause", userId);
        this.#data.delete(userId);
      } else {
        if (isDeepStrictEqual(before, value)) problem("I4", "a change that changes nothing", userId);
        this.#data.set(userId, value);
      }
      this.#changed(userId, before, value ?? undefined, at, causes?.[userId]);
    }
  }

  #changed(
    userId: string,
    before: Value | undefined,
    after: Value | undefined,
    at: number,
    cause: string | undefined,
  ): void {
    const isThere = after !== undefined;
    if (isThere !== (before !== undefined)) this.onPresence?.(userId, isThere);
    if (!this.#seesAll) return;
    const now = new Set(after === undefined ? [] : rowsOf(after).map(({ sessionId }) => sessionId));
    const then = new Set(before === undefined ? [] : rowsOf(before).map(({ sessionId }) => sessionId));
    for (const sessionId of now) if (!then.has(sessionId)) this.#oracle.sessionSeen(sessionId, userId, at);
    for (const sessionId of then)
      if (!now.has(sessionId)) this.#oracle.sessionLeft(sessionId, userId, at, cause);
  }
}
