// The parts of query responses and messages that the oracle reads.

interface Row {
  readonly sessionId: string;
  readonly [field: string]: unknown;
}
export interface Value {
  readonly widgets: readonly Row[];
  readonly backgroundSessions: readonly Row[];
}
export type Result = Readonly<Record<string, Value>>;

export function rowsOf(value: Value): readonly Row[] {
  return [...value.backgroundSessions, ...value.widgets];
}
