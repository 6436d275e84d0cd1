import type { Filter } from "../../protocol/filter.ts";
import type { Issue } from "../../protocol/wire.ts";

/** Without ids and conversation, an index must cover a filter on `custom`. */
export function customFilterProblem(
  app: { readonly indexedCustom: readonly string[] },
  { custom, userIds, selectedConversationId }: Filter,
): Issue | undefined {
  if (custom === undefined || userIds !== undefined || selectedConversationId !== undefined) return undefined;
  if (Object.keys(custom).some((key) => app.indexedCustom.includes(key))) return undefined;
  const message =
    "asks for no key that the app has in indexedCustom: " +
    "add userIds or selectedConversationId, or configure a key";
  return { path: "custom", message };
}
