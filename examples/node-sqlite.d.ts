/** What webhook-copy.ts uses of `node:sqlite`, which the types of the oldest supported Node do not have. */
declare module "node:sqlite" {
  type Value = string | number;
  interface Statement {
    run(...values: Value[]): { readonly lastInsertRowid: number | bigint };
    get(...values: Value[]): Record<string, unknown> | undefined;
  }
  export class DatabaseSync {
    constructor(path: string);
    exec(sql: string): void;
    prepare(sql: string): Statement;
  }
}
