import { byUserId } from "../../core/collections/by-user-id.ts";
import { statusOfBit } from "../../core/sessions/status.ts";
import type { ReadonlyTable } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { EffectiveStatus } from "../../protocol/wire.ts";

export interface CheckedUsers {
  readonly present: readonly string[];
  readonly absent: readonly string[];
  /** The status of those who are absent, but have a session and are not invisible. */
  readonly statuses: Readonly<Record<string, EffectiveStatus>>;
}

/**
 * Which of the users that a filter names are in its result, in the order of their ids. Costs one look-up for
 * each id, and no more.
 */
export function checkUsers(table: ReadonlyTable, filter: CompiledFilter): CheckedUsers {
  const present: string[] = [];
  const absent: string[] = [];
  const statuses = byUserId<EffectiveStatus>();
  for (const userId of filter.userIds ?? []) {
    const user = table.user(userId);
    if (user !== undefined && filter.includes(user)) present.push(userId);
    else {
      absent.push(userId);
      if (user !== undefined && !user.isInvisible) statuses[userId] = statusOfBit(user.statusBit);
    }
  }
  return { present, absent, statuses };
}
