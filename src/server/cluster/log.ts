/**
 * The contract of the log that all nodes of a cluster share: in Redis, or in the first process of a gateway
 * with workers. There is one log per shard of the sessions. Beside the log stand a row for each session,
 * which is the log's outcome, and a register of the nodes. A node writes under the name of a **writer**, and
 * takes a new name each time it joins.
 *
 * The log has one order, the same for all nodes, and positions in it rise by exactly 1. The log checks an
 * operation and writes it in one step, so an entry tells what has happened, not what was requested. A
 * writer is in the register from `join` to `evict`; outside that time the log refuses what it writes. A
 * writer numbers its batches from 1, and a batch that is sent twice is done once. A row has one owner at a
 * time:
 *
 * | operation | is done when the session |
 * |---|---|
 * | `open` | has no row, or is owned by this writer or by a writer that is not in the register |
 * | `patch` | has a row, and is owned as above |
 * | `takeover` | always; this writer becomes the owner |
 * | `end` | as `open`: a session without a row may still be shown by some node |
 * | `forceEnd` | always |
 *
 * The operation `profile` is about a user, and has the key of a profile instead of a session id. It is done
 * when there is no profile, or one with a lower version, or one whose time is over: the nodes have forgotten
 * that one, so their versions begin anew. Profiles stand beside the rows. They are kept until a time that
 * their record names, and there are only so many of them.
 *
 * A row has an **epoch**, a counter that rises by one with each takeover; no clock is part of it. Which of
 * two records about one session wins follows from the epochs and from the order of the log: see decisions.ts.
 *
 * When the memory for the log and the rows is full, and trimming the log has not made room, batches still
 * enter the log as heartbeats, and their ends are done. Their other operations are not, and the entry says
 * so; the writer sends them again.
 *
 * To read, a node takes a position, reads all rows, and then reads the entries after the position. Rows are
 * at least as new as the position, so some entries repeat what the rows show already. Applied in order, the
 * last one is right.
 */

/** What a writer does to a session. The scripts in Redis have words of their own, see redis-log.ts. */
export type OpKind = "open" | "patch" | "takeover" | "end" | "forceEnd" | "profile";

/** One operation on one session, or on the profile of a user. */
export interface Op {
  readonly kind: OpKind;
  /** The key of the profile for `profile`, see record.ts. */
  readonly sessionId: string;
  /** An encoded record, see record.ts. */
  readonly text: string;
}

/** A place in the log: how many entries there are up to it, and the id of the last of them. */
export interface Position {
  readonly count: number;
  readonly id: string;
}

/** What stands at one position. `records` alternates: `Op.sessionId`, then the encoded record. */
export type Entry = { readonly id: string } & (
  | {
      readonly kind: "batch";
      readonly count: number;
      readonly writer: string;
      readonly seq: number;
      readonly records: readonly string[];
      /** There was no memory for more, so only the ends of this batch were done. */
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
  /** Written by a later version. */
  | { readonly kind: "unknown"; readonly count: number }
  /** Not written by any version of this gateway, so it has no count. */
  | { readonly kind: "bad" }
);

/** A writer as the register has it. `seq` numbers its last batch; undefined once the writer is evicted. */
export interface RegisteredWriter {
  readonly writer: string;
  readonly seq: number | undefined;
  readonly leaseMs: number;
  readonly nodeId: string;
}

export interface LogStatus {
  /** The last position of the log. */
  readonly end: Position;
  /** The entry with the id that was asked for, if the log still has it. */
  readonly found: Entry | undefined;
  readonly register: readonly RegisteredWriter[];
}

/** A row of a session, or a profile. */
export interface ScannedRow {
  readonly sessionId: string;
  readonly owner: string;
  readonly text: string;
}

export interface ScanBatch {
  /** Where the scan continues; undefined when it is complete. */
  readonly next: string | undefined;
  readonly rows: readonly ScannedRow[];
}

export type JoinReply =
  /** Every writer of this log gets the same id. A log that is emptied gets another. */
  | { readonly ok: true; readonly logId: string }
  /** Another writer, which is alive, holds this node id. */
  | { readonly ok: false; readonly holder: string };

/**
 * `seq` numbers the last batch of this writer that was done; undefined: the writer is not in the register.
 */
export interface AppendReply {
  readonly count: number;
  readonly seq: number | undefined;
  /** The register does not even have the writer as evicted: it is that of another log, or long since. */
  readonly isForgotten?: true;
  /** As in the entry. */
  readonly isFull?: true;
}

/** What a replicator wants the log to do. The reply comes back by a method of the replicator. */
export type Command =
  | { readonly do: "readStatus"; readonly at: string | undefined }
  | { readonly do: "scan"; readonly from: string }
  | {
      readonly do: "join";
      readonly writer: string;
      readonly leaseMs: number;
      readonly nodeId: string;
      /** Earlier names of this node; those that are still in the register are evicted. */
      readonly formerly: readonly string[];
    }
  | { readonly do: "append"; readonly writer: string; readonly seq: number; readonly ops: readonly Op[] }
  /**
   * Is done only if `seq` still numbers the writer's last batch; undefined: the writer was not in the
   * register.
   */
  | { readonly do: "evict"; readonly writer: string; readonly seq: number | undefined }
  /** Removes an evicted writer from the register. */
  | { readonly do: "forget"; readonly writer: string };

export type CommandOf<Name extends Command["do"]> = Extract<Command, { do: Name }>;

/**
 * The log of one shard, for as long as it can be reached. A method rejects if its reply does not come in
 * time, and the log has then ended.
 */
export interface Log {
  /** Rejects when the log cannot be reached any more, with the reason. */
  readonly ended: Promise<never>;
  readStatus(command: CommandOf<"readStatus">): Promise<LogStatus>;
  scan(command: CommandOf<"scan">): Promise<ScanBatch>;
  join(command: CommandOf<"join">): Promise<JoinReply>;
  append(command: CommandOf<"append">): Promise<AppendReply>;
  /** Resolves to whether it was done. */
  evict(command: CommandOf<"evict">): Promise<boolean>;
  forget(command: CommandOf<"forget">): Promise<void>;
  /** Reads the entries after the one with this id. Waits for a while if there are none. */
  read(after: string): Promise<readonly Entry[]>;
  /** Ends it. Replies that are on their way are lost. */
  close(): void;
}

/** Where the logs of a cluster are. */
export interface LogSource {
  /** What holds the logs, as log lines name it: "Redis". */
  readonly name: string;
  /**
   * The least time between two batches that a node appends, and between two reads, in milliseconds. What
   * happens within it goes together.
   */
  readonly intervalMs: number;
  /** Connects to the log of a shard. */
  open(shard: number): Promise<Log>;
}
