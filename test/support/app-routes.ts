import type { AppConfig } from "../../src/server/auth/app.ts";
import { statsOf } from "../../src/server/http/app-stats.ts";
import { BodyBudget } from "../../src/server/http/body-budget.ts";
import { BodyWanted, type HttpResponse } from "../../src/server/http/exchange.ts";
import { type PresenceRoutesOptions, presenceRoutes } from "../../src/server/http/presence-api.ts";
import { createRouter, type Route } from "../../src/server/http/router.ts";
import { bareNode } from "./bare-node.ts";
import { requestOf, UNLIMITED } from "./http-handler.ts";
import { testTelemetry } from "./stubs.ts";

const SECRET = "a secret of the app, long enough to be one";

export const NODE = {
  nodeId: "node",
  version: "1.2.3",
  uptimeSeconds: 1,
  rssBytes: 1,
  heapUsedBytes: 1,
  eventLoopDelayMs: { p50: 0, p99: 0, max: 0 },
};

export interface Asked {
  readonly body?: string;
  readonly query?: string;
  /** Undefined: without credentials. */
  readonly secret?: string | undefined;
  readonly type?: string;
}

/** The routes under `/v1/{appId}`. What is not given has no limit, and says nothing. */
export function testRoutes(
  options: Pick<PresenceRoutesOptions, "node"> & Partial<PresenceRoutesOptions>,
): Route[] {
  return presenceRoutes({
    anonymous: UNLIMITED,
    bodies: new BodyBudget(Number.MAX_SAFE_INTEGER),
    describeNode: () => NODE,
    statsOf: (presence) => statsOf(presence, []),
    ...options,
  });
}

/** The routes of the app `app` on a node without sockets, whose clock stands at 0. */
export function appRoutes(env: Record<string, string> = {}, app: Partial<AppConfig> = {}) {
  const refusals: string[] = [];
  const telemetry = { ...testTelemetry(), refused: (refusal: string) => void refusals.push(refusal) };
  const node = bareNode({ apps: [{ id: "app", secrets: [SECRET], ...app }], env, telemetry });
  const presence = node.presence("app")!;
  const handle = createRouter(testRoutes({ node }), UNLIMITED);
  const ask = async (
    method: string,
    path: string,
    { body = "", query = "", secret = SECRET, type = "application/json" }: Asked = {},
  ): Promise<HttpResponse> => {
    const bytes = Buffer.from(body);
    const request = requestOf({
      method,
      path,
      query,
      contentLength: bytes.length,
      headers: {
        authorization: secret && `Bearer ${secret}`,
        "content-type": body === "" ? undefined : type,
      },
    });
    const response = await handle(request, {});
    return response instanceof BodyWanted ? await response.handle(bytes) : response;
  };
  return { ask, node, refusals, presence };
}
