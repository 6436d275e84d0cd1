/** What the cells of the table do when they are chosen. */
export interface TableActions {
  readonly onSelect: (userId: string) => void;
  readonly onUser: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
}
