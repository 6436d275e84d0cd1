/** Callbacks for the selection of a user or a conversation in a table. */
export interface TableActions {
  readonly onSelect: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
}
