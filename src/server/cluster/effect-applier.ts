import { isBlank, type Profile } from "../../core/sessions/profile.ts";
import { BLANK_MS } from "../gateway/profiles.ts";
import { NODE_LOST } from "./decisions.ts";
import type { Effect } from "./effect.ts";
import type { Reader } from "./reader.ts";
import type { Reconciler } from "./reconciler.ts";
import { encodeProfile, profileKey } from "./record.ts";
import type { RemoteNodes } from "./remote-nodes.ts";
import type { ShardPresence } from "./shard-presence.ts";
import type { Writer } from "./writer.ts";

/** Without retention, a status lasts for as long as a session does; see `Profiles`. */
const MIN_RETENTION_MS = 86_400_000;

export interface EffectTargets {
  readonly presence: ShardPresence;
  readonly remoteNodes: RemoteNodes;
  readonly writer: Writer;
  readonly reconciler: Reconciler;
  readonly reader: Reader;
  /** How long the profile of a user who is offline is kept, in milliseconds. */
  readonly retentionMs: number;
  /** Called for a rejected record. */
  readonly rejected: () => void;
}

/**
 * Carries out decisions. It is the only place from which the log changes the sessions that this node shows.
 * The views are told in one batch, as the link has everything that came in together applied inside
 * `ShardPresence.transact`.
 */
export class EffectApplier {
  readonly #targets: EffectTargets;

  constructor(targets: EffectTargets) {
    this.#targets = targets;
  }

  /** Writes what this node knows about a user. It is kept from its last use on, and never for no time. */
  writeProfile(appId: string, userId: string, profile: Profile): void {
    const { writer, retentionMs } = this.#targets;
    const keptMs = isBlank(profile) ? BLANK_MS : Math.max(retentionMs, MIN_RETENTION_MS);
    const text = encodeProfile(appId, userId, profile, profile.usedAt + keptMs);
    writer.writeProfile(appId, profileKey(appId, userId), text);
  }

  apply(effect: Effect, now: number): void {
    const { presence, remoteNodes, writer, reconciler, reader, rejected } = this.#targets;
    switch (effect.do) {
      case "ignore":
        return;
      case "reject":
        return rejected();
      case "applyRow": {
        const { appId, sessionId, remote, owner } = effect;
        reconciler.markAlive(sessionId);
        writer.buffer.drop(sessionId);
        // All sessions of a node share one string as their owner.
        return presence.applyRemote(appId, sessionId, remote, remoteNodes.getOrAdd(owner, now).writer, now);
      }
      case "applyProfile":
        return presence.applyProfile(effect.appId, effect.userId, effect.profile, now);
      case "writeProfile":
        return this.writeProfile(effect.appId, effect.userId, effect.profile);
      case "applyEnd": {
        const { appId, session, cause } = effect;
        writer.buffer.drop(session.sessionId);
        reconciler.markEnded(session.sessionId);
        return presence.applyRemoteEnd(appId, session, cause, now);
      }
      case "removeRow":
        return presence.applyRemoteEnd(effect.appId, effect.session, effect.cause, now);
      case "reclaim":
        return presence.reclaim(effect.appId, effect.session, now);
      case "ownerLost":
        return presence.onOwnerLost(effect.appId, effect.session, now);
      case "writeAgain":
        return writer.writeRow(effect.kind, effect.appId, effect.session);
      case "outbid":
        presence.setEpoch(effect.appId, effect.session, effect.epoch, now);
        return writer.writeRow("takeover", effect.appId, effect.session);
      case "writeEnd":
        reconciler.markEnded(effect.sessionId);
        return writer.writeEnd("end", effect.appId, effect.sessionId, "closed");
      case "expire":
        return writer.writeEnd("end", effect.appId, effect.sessionId, NODE_LOST);
      case "quarantine":
        return reconciler.quarantine(effect.sessionId);
      case "missSession":
        return reconciler.addWithoutSession(effect.sessionId, effect.appId);
      case "missRow":
        return reconciler.addWithoutRow(effect.sessionId, effect.appId);
      case "reload":
        return reader.restart(now, effect.reason);
    }
  }
}
