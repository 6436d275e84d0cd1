/**
 * The log that nodes share, one for each shard of the sessions, with what it comes to: a row for each session and a register
 * of the nodes. A node goes under the name of a **writer**, a fresh one each time that it joins.
 *
 * The log decides. It has one order, the same for all; positions in it rise by exactly 1, and what a writer asks for is judged and
 * written in one step, so an entry holds facts. A writer is in the register from `join` to `bury`, and is refused before and
 * after. It numbers its batches from 1, and one that is sent again is not done again. A row has one owner at a time:
 *
 * | | is done when the session |
 * |---|---|
 * | `open` | has no row, or the owner is this writer or nobody who is in the register |
 * | `patch` | has a row, and the owner is as above |
 * | `claim` | always, and makes this writer the owner |
 * | `end` | as `open`: what has no row may still be shown somewhere |
 * | `kick` | always |
 *
 * A row has an **epoch** (`term`), a counter that rises by one with each takeover (`claim`); no clock is part of it. Of two takeovers
 * the one of the higher epoch wins, wherever it stands in the log: its node knew of the other one, or comes after a time
 * that the log has forgotten. Of two with the same epoch, whose nodes did not hear of each other, the later one in the log wins, on
 * all nodes alike. Its node then takes an epoch more, so that an older copy of the log cannot turn this round. A takeover whose client
 * has left before it is written is written at the epoch before, so it does not win against one that was made since.
 *
 * Where there is no room for more, batches still come into the log, as signs of life, and their ends are done. What else they ask
 * for is not, and the entry says so: its writer asks for it again.
 *
 * To read: take a position, read all rows, then the entries after the position. Rows are at least as new as the position, so
 * entries may tell of what they show already: applied in their order, the last one is right.
 */

/** How sure a writer must be of a row to write it: the first letter is what goes over the wire. */
export type OpKind = "open" | "patch" | "takeover" | "end" | "forceEnd";

/** What a writer asks for one session. */
export interface Op {
  readonly kind: OpKind;
  readonly sessionId: string;
  /** A fact, see fact.ts. */
  readonly text: string;
}

/** A place in the log: how many entries there are up to it, and the name of the last of them. */
export interface Position {
  readonly count: number;
  readonly id: string;
}

/** What was written at one position. `facts` alternate: a session's id, and what became of it. */
export type Entry = { readonly id: string } & (
  | {
      readonly kind: "batch";
      readonly count: number;
      readonly writer: string;
      readonly seq: number;
      readonly records: readonly string[];
      /** Redis was out of memory: of what the batch asked for only ends were done. */
      readonly isFull?: true;
    }
  | {
      readonly kind: "join";
      readonly count: number;
      readonly writer: string;
      readonly leaseMs: number;
      readonly nodeId: string;
    }
  | { readonly kind: "evict"; readonly count: number; readonly writer: string }
  /** What a later version writes. */
  | { readonly kind: "unknown"; readonly count: number }
  /** What no version of ours wrote: it has no place in the count. */
  | { readonly kind: "bad" }
);

/** A writer as the register has it; `seq` is that of its last batch, undefined once it is buried. */
export interface RegisteredWriter {
  readonly writer: string;
  readonly seq: number | undefined;
  readonly leaseMs: number;
  readonly nodeId: string;
}

export interface LogStatus {
  /** Where the log is now. */
  readonly end: Position;
  /** The entry of the name that was asked for. */
  readonly found: Entry | undefined;
  readonly register: readonly RegisteredWriter[];
}

export interface ScanBatch {
  /** Where to go on; undefined: that was all. */
  readonly next: string | undefined;
  readonly rows: readonly { readonly sessionId: string; readonly owner: string; readonly text: string }[];
}

export type JoinReply =
  | { readonly ok: true }
  /** The node id is taken, by this writer. */
  | { readonly ok: false; readonly holder: string };

/** `seq` is that of the last batch of this writer that was done; undefined: it is not in the register. */
export interface AppendReply {
  readonly count: number;
  readonly seq: number | undefined;
  /** As in the entry. */
  readonly isFull?: true;
}

/** What a replicator wants done; each is answered by the call of the same name on it. */
export type Command =
  | { readonly do: "readStatus"; readonly at: string | undefined }
  | { readonly do: "scan"; readonly from: string }
  | {
      readonly do: "join";
      readonly writer: string;
      readonly leaseMs: number;
      readonly nodeId: string;
      /** The writers that this node was before; those that are still in the register are buried. */
      readonly formerly: readonly string[];
    }
  | { readonly do: "append"; readonly writer: string; readonly seq: number; readonly ops: readonly Op[] }
  /** Only if the writer has done nothing since the batch `seq`; undefined: it was not in the register. */
  | { readonly do: "evict"; readonly writer: string; readonly seq: number | undefined }
  /** Takes a buried writer out of the register. */
  | { readonly do: "forget"; readonly writer: string };

export type CommandOf<Name extends Command["do"]> = Extract<Command, { do: Name }>;
