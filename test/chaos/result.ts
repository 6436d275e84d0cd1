// What queries answer and observers are sent, as far as the oracle reads it.

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
