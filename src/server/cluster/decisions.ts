/**
 * Which record wins over which. Every rule by which nodes come to agree is here, and every function is pure:
 * it takes a record, the session as this node shows it, and what this node knows, and returns one effect. The
 * effect is applied before the next record is decided.
 *
 * A session is *own* when this node owns it. An *override* is a takeover or a forced end: the log never
 * refuses it. An override is *unconfirmed* until this node has read it back from the log; until then, what
 * this node reads stands before it in the log. In each table the first matching row decides.
 *
 * `decideRecord`: a record of another writer in the log, or a row of any writer in a scan.
 *
 * | | record | this node | effect |
 * |---|---|---|---|
 * | A0 | scanned row of this node, another state | session is own, nothing unconfirmed | writeAgain (open) |
 * | A1 | scanned row of this node | session unknown or not own, nothing unconfirmed | missSession |
 * | A2 | scanned row of this node | otherwise | ignore |
 * | A3 | any | unconfirmed override; session unknown | ignore |
 * | A4 | of no higher epoch | unconfirmed override; session is not own | ignore |
 * | A5 | of a lower epoch | unconfirmed override; session is own | ignore |
 * | A6 | of the same epoch | unconfirmed override; session is own and has its client | outbid |
 * | A7 | of the same epoch | override sent; session is own, its client has left | ignore |
 * | B1 | row | session unknown; its user has too many (10,000) | reject |
 * | B2 | scanned row | session unknown, and has ended here | quarantine |
 * | B3 | row of a lower epoch | session is own | writeAgain (takeover) |
 * | B4 | row of a lower epoch | session is of a node in the register | ignore |
 * | B5 | any other row | | applyRow |
 * | C1 | end | session unknown | ignore |
 * | C2 | end as its node was lost | session is own, with something unconfirmed | ignore |
 * | C3 | end as its node was lost | session is own: this node is alive | writeAgain (open) |
 * | C4 | any other end | | applyEnd |
 *
 * A0: a full Redis has refused the last change, and the entry that says so was trimmed before this node read
 * it. An end counts as epoch 0. A record of a higher epoch passes A4 to A7: its writer has read this node's
 * override. Two takeovers of the same epoch did not know of each other, and the later one in the log wins on
 * all nodes. A6 is the node that wins: it takes one epoch more, so that an older copy of the log, which may
 * lack its takeover, cannot turn this round. Where the client has left and the takeover was not sent yet,
 * neither A6 nor A7 matches: the other node keeps the session. B3 to B5: a lower epoch is from before the
 * takeover. The log went back, or its writer was away. The owner writes its takeover again, unless it has
 * left the cluster too.
 *
 * `decideConfirmation`: an operation of this node that is read back, unless something newer about the session
 * is unconfirmed.
 *
 * | | operation | this node | effect |
 * |---|---|---|---|
 * | D1 | refused | session unknown | ignore |
 * | D2 | refused patch | session is own: its row is missing | writeAgain (open) |
 * | D3 | any other refused | session is own | reload |
 * | D4 | any other refused | session is of a node that is not in the register | reload |
 * | D5 | any other refused | session is of a node in the register, which explains it | ignore |
 * | D6 | done end or forced end | session is not own | removeRow |
 * | D7 | done end or forced end | otherwise | ignore |
 * | D8 | done open, patch or takeover | session unknown: it ended before this was written | writeEnd |
 * | D9 | done open, patch or takeover | session is not own: the log gave it to this node | reclaim |
 * | D10 | done open, patch or takeover | session is own | ignore |
 *
 * `decideAfterReload`: each session, once all rows are read. `decideWithoutRow` and `decideWithoutSession`:
 * what is still open after a grace period, in which the other nodes may have written again what the log had
 * lost.
 *
 * | | | effect |
 * |---|---|---|
 * | E1 | own session, without a row or anything unconfirmed | writeAgain (open) |
 * | E2 | own session, otherwise | ignore |
 * | E3 | session of an evicted node | ownerLost |
 * | E4 | session of a node in the register, without a row | missRow |
 * | E5 | any other session | ignore |
 * | F1 | session of another node that still has no row | removeRow |
 * | F2 | the same, but the session has ended or is own by now | ignore |
 * | F3 | row of this node that still has no session, nothing unconfirmed | writeEnd |
 * | F4 | the same, but the session is own by now, or something is unconfirmed | ignore |
 *
 * Profiles are no sessions: nobody owns one, and the last writer wins. Versions order the writers; see
 * `nextVersion`. Two nodes may choose equal versions in one millisecond, or where the last session of a user
 * ends on both sides of a network partition. Of those, the one that the log has first wins.
 *
 * | | profile | effect |
 * |---|---|---|
 * | P1 | of a higher version than this node knows, or of the same version and different | applyProfile |
 * | P2 | scanned, of a lower version | writeProfile |
 * | P3 | otherwise | ignore |
 * | P4 | all were read, and none was of a user whom this node knows, nothing unconfirmed | writeProfile |
 * | P5 | otherwise, or this node only knows that there is none | ignore |
 */

import { isBlank, isSameProfile, type Profile } from "../../core/sessions/profile.ts";
import { MAX_OWNERSHIP_NUMBER, type RemoteSession, type Session } from "../../core/sessions/session.ts";
import type { EndCause } from "../../protocol/codes.ts";
import type { Effect } from "./effect.ts";
import type { OpKind } from "./log.ts";
import type { ProfileRecord, SessionRecord } from "./record.ts";

/** What this node knows at the moment of a decision. Nothing here changes anything. */
export interface Knowledge {
  /** Whether a name is or was a writer of this node. */
  wasWriter(writer: string): boolean;
  /** Whether a writer is in the register, as far as this node knows. */
  isRegistered(writer: string): boolean;
  /** Whether a writer was evicted, and its sessions wait to be resumed. */
  isEvicted(writer: string): boolean;
  /** Whether this node has written something about a session, or is about to, and has not read it back. */
  hasUnconfirmedWrite(sessionId: string): boolean;
  /** The same for a takeover or a forced end. */
  hasUnconfirmedOverride(sessionId: string): boolean;
  /** The same for one that was sent. */
  hasSentOverride(sessionId: string): boolean;
  /** Whether a session has ended, as far as this node knows. */
  hasEnded(sessionId: string): boolean;
  /** Whether a row or a record named a session since all rows began to be read. */
  hasHeard(sessionId: string): boolean;
  /** Whether a user has as many sessions as this node takes in from the log: 10,000. */
  hasTooManySessions(appId: string, userId: string): boolean;
}

/** A record as it was read: from an entry of the log, or as a row in a scan. */
export interface Received<R> {
  readonly source: "log" | "scan";
  readonly writer: string;
  readonly appId: string;
  readonly sessionId: string;
  readonly record: R;
}
export type ReceivedRecord = Received<SessionRecord>;

/** An operation of this node that was read back. */
export interface ConfirmedOp {
  readonly kind: OpKind;
  readonly appId: string;
  readonly sessionId: string;
  readonly cause: EndCause;
  /** Whether the log has done it. */
  readonly isDone: boolean;
}

export const NODE_LOST: EndCause = "node-lost";
const IGNORE: Effect = { do: "ignore" };
const REJECT: Effect = { do: "reject" };
const RELOAD: Effect = { do: "reload", reason: "refused" };

export function decideRecord(
  received: ReceivedRecord,
  session: Session | undefined,
  node: Knowledge,
): Effect {
  const { source, writer, appId, sessionId, record } = received;
  if (source === "scan" && node.wasWriter(writer)) {
    if (node.hasUnconfirmedWrite(sessionId)) return IGNORE;
    if (session === undefined || !isOwn(session)) return { do: "missSession", appId, sessionId };
    const isAsWritten = record.kind !== "row" || hasState(session, record.session);
    return isAsWritten ? IGNORE : { do: "writeAgain", kind: "open", appId, session };
  }
  const epoch = record.kind === "row" ? record.session.epoch : 0;
  if (node.hasUnconfirmedOverride(sessionId)) {
    const effect = decideAgainstOverride(appId, sessionId, epoch, session, node);
    if (effect !== undefined) return effect;
  }
  if (record.kind === "end") return decideEnd(appId, session, record.cause, node);
  if (session === undefined) {
    if (node.hasTooManySessions(appId, record.session.userId)) return REJECT;
    if (source === "scan" && node.hasEnded(sessionId)) return { do: "quarantine", sessionId };
  } else if (epoch < session.ownership!.epoch) {
    if (isOwn(session)) return { do: "writeAgain", kind: "takeover", appId, session };
    if (node.isRegistered(session.ownership!.owner!)) return IGNORE;
  }
  return { do: "applyRow", appId, sessionId, remote: record.session, owner: writer };
}

/** A3 to A7; undefined if none of them matches. */
function decideAgainstOverride(
  appId: string,
  sessionId: string,
  epoch: number,
  session: Session | undefined,
  node: Knowledge,
): Effect | undefined {
  if (session === undefined) return IGNORE;
  const { epoch: ownEpoch } = session.ownership!;
  if (epoch > ownEpoch) return undefined;
  if (!isOwn(session) || epoch < ownEpoch) return IGNORE;
  if (session.connection !== undefined) {
    return { do: "outbid", appId, session, epoch: Math.min(epoch + 1, MAX_OWNERSHIP_NUMBER) };
  }
  return node.hasSentOverride(sessionId) ? IGNORE : undefined;
}

function decideEnd(appId: string, session: Session | undefined, cause: EndCause, node: Knowledge): Effect {
  if (session === undefined) return IGNORE;
  if (cause !== NODE_LOST || !isOwn(session)) return { do: "applyEnd", appId, session, cause };
  if (node.hasUnconfirmedWrite(session.sessionId)) return IGNORE;
  return { do: "writeAgain", kind: "open", appId, session };
}

/** P1 to P3. `known`: what this node knows about the user. */
export function decideProfile({ appId, source, record }: Received<ProfileRecord>, known: Profile): Effect {
  const { userId, profile } = record;
  if (profile.version > known.version) return { do: "applyProfile", appId, userId, profile };
  if (profile.version === known.version) {
    return isSameProfile(profile, known) ? IGNORE : { do: "applyProfile", appId, userId, profile };
  }
  return source === "scan" ? { do: "writeProfile", appId, userId, profile: known } : IGNORE;
}

/** P4 and P5: all rows and profiles were read. */
export function decideUnheardProfile(
  appId: string,
  userId: string,
  key: string,
  profile: Profile,
  node: Knowledge,
): Effect {
  if (isBlank(profile) || node.hasHeard(key) || node.hasUnconfirmedWrite(key)) return IGNORE;
  return { do: "writeProfile", appId, userId, profile };
}

export function decideConfirmation(op: ConfirmedOp, session: Session | undefined, node: Knowledge): Effect {
  const { kind, appId, sessionId, cause, isDone } = op;
  if (kind === "profile") return IGNORE;
  if (!isDone) return decideRefusal(kind, appId, session, node);
  if (kind === "end" || kind === "forceEnd") {
    return session === undefined || isOwn(session) ? IGNORE : { do: "removeRow", appId, session, cause };
  }
  if (session === undefined) return { do: "writeEnd", appId, sessionId };
  return isOwn(session) ? IGNORE : { do: "reclaim", appId, session };
}

/**
 * If no record that was read so far explains the refusal, rows are missing, or this node has missed entries.
 */
function decideRefusal(kind: OpKind, appId: string, session: Session | undefined, node: Knowledge): Effect {
  if (session === undefined) return IGNORE;
  const { owner } = session.ownership!;
  if (owner === undefined && kind === "patch") return { do: "writeAgain", kind: "open", appId, session };
  return owner === undefined || !node.isRegistered(owner) ? RELOAD : IGNORE;
}

export function decideAfterReload(appId: string, session: Session, node: Knowledge): Effect {
  const { sessionId, ownership } = session;
  const hasRow = node.hasHeard(sessionId);
  if (isOwn(session)) {
    if (hasRow || node.hasUnconfirmedWrite(sessionId)) return IGNORE;
    return { do: "writeAgain", kind: "open", appId, session };
  }
  const owner = ownership!.owner!;
  if (node.isEvicted(owner)) return { do: "ownerLost", appId, session };
  return hasRow || !node.isRegistered(owner) ? IGNORE : { do: "missRow", appId, sessionId };
}

export function decideWithoutRow(appId: string, session: Session | undefined): Effect {
  if (session === undefined || isOwn(session)) return IGNORE;
  return { do: "removeRow", appId, session, cause: "closed" };
}

export function decideWithoutSession(
  appId: string,
  sessionId: string,
  session: Session | undefined,
  node: Knowledge,
): Effect {
  const isHere = session !== undefined && isOwn(session);
  return isHere || node.hasUnconfirmedWrite(sessionId) ? IGNORE : { do: "writeEnd", appId, sessionId };
}

/** Whether a session is as a row says that it is. */
function hasState(session: Session, { state, lostAt }: RemoteSession): boolean {
  const keys = Object.keys(session.custom);
  return (
    session.ownership?.lostAt === lostAt &&
    session.visible === state.visible &&
    session.selectedConversationId === state.selectedConversationId &&
    session.hasFocus === state.hasFocus &&
    session.isTyping === state.isTyping &&
    session.isIdle === state.isIdle &&
    keys.length === Object.keys(state.custom).length &&
    keys.every((key) => session.custom[key] === state.custom[key])
  );
}

/** Whether this node owns a session. */
export function isOwn(session: Session): boolean {
  return session.ownership?.owner === undefined;
}
