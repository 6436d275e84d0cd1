/** Callbacks for the selection of a row, a user or a conversation in the table. */
export interface TableActions {
  readonly onSelect: (userId: string) => void;
  readonly onUser: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
}
