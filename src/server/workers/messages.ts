import type { CountsReport } from "./counts-outbox.ts";

/** What a worker is told first, once. */
export interface StartMessage {
  readonly type: "start";
  /** From 1 on. A worker that is started again has the number of the one before. */
  readonly number: number;
  /** How many workers there are. */
  readonly workers: number;
  /** The name under which this worker is a node. */
  readonly nodeId: string;
  /** 0: any free port. */
  readonly port: number;
  /** The text of the file with the apps, if they are in a file: the last one that was valid. */
  readonly appsText: string | undefined;
  /** The app of development mode has this secret; undefined: there are apps. */
  readonly demoSecret: string | undefined;
  /** How long clients of the gateway before this one may still be coming back, in milliseconds. */
  readonly clientsReturnMs: number;
  readonly state: PoolState;
}

/** What the workers know of each other. */
export interface PoolState {
  /** Whether all workers were ready at the same time, at least once. */
  readonly wasWhole: boolean;
  /** Whether one of them is not ready now. */
  readonly isMissing: boolean;
}

/** What one worker wants to know of all. */
export type Question = { readonly about: "metrics" } | { readonly about: "stats"; readonly appId: string };

/** What has been counted since the report before. It is acknowledged, and the next one waits for that. */
export type CountsMessage =
  | { readonly type: "counts"; readonly report: CountsReport }
  | { readonly type: "counts-taken" };

/** Why a worker cannot run. */
export interface WorkerFailure {
  readonly message: string;
  /** Whether the others cannot run either. */
  readonly concernsAll: boolean;
  /** The stack of a defect; undefined: the operator can mend it. */
  readonly stack?: string | undefined;
}

/** From the first process to a worker. */
export type ToWorker =
  | StartMessage
  | ({ readonly type: "state" } & PoolState)
  /** The file with the apps has this valid text now. */
  | { readonly type: "apps"; readonly text: string }
  /** The file has another text, which cannot be used. */
  | { readonly type: "apps-failed"; readonly reason: string }
  /** Each question has an id, and is answered with it. */
  | { readonly type: "question"; readonly id: number; readonly question: Question }
  /** The answers of all workers to a question of this one. */
  | { readonly type: "answers"; readonly id: number; readonly answers: readonly unknown[] }
  | CountsMessage
  /** Shut down gently; the second time at once. */
  | { readonly type: "stop" };

/** From a worker to the first process. Each message is also a sign of life. */
export type FromWorker =
  /** This worker listens to what it is told from now on. With `node:cluster` earlier messages may be lost. */
  | { readonly type: "hello" }
  | { readonly type: "alive" }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "ready" }
  | ({ readonly type: "failed" } & WorkerFailure)
  | { readonly type: "question"; readonly id: number; readonly question: Question }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown }
  | CountsMessage;
