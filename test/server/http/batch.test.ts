import { expect, it } from "vitest";
import { appRoutes } from "../../support/app-routes.ts";
import { jsonOf } from "../../support/http-handler.ts";

const run = async (operations: unknown, { ask } = appRoutes()) =>
  jsonOf(await ask("POST", "/v1/app/batch", { body: JSON.stringify(operations) }));

it("each request sees what the one before it did", async () => {
  const responses = await run([
    [1, "POST", "/presences/count"],
    [2, "PUT", "/users/alice/sessions/k"],
    [3, "POST", "/presences/count"],
    [4, "DELETE", "/users/alice"],
    [5, "POST", "/presences/count"],
  ]);
  expect(responses.map(([, , body]: [number, number, unknown]) => body)).toEqual([
    { data: { users: 0 } },
    { data: expect.objectContaining({ created: true }) },
    { data: { users: 1 } },
    { ended: 1, erased: true },
    { data: { users: 0 } },
  ]);
});

it("has no batches, streams and sockets in it", async () => {
  const { ask, node } = appRoutes();
  const paths = ["/batch", "/presences/stream", "/realtime"];
  for (const path of paths)
    for (const method of ["GET", "POST"])
      expect(await run([[1, method, path]], { ask } as ReturnType<typeof appRoutes>)).toEqual([
        [1, 404, expect.any(Object)],
      ]);
  expect(node.admissions.connections).toBe(0);
});

it("is counted as its requests for the rate limit", async () => {
  const routes = appRoutes({ HTTP_REQUESTS_PER_SECOND: "2" });
  const requests = Array.from({ length: 5 }, (_, i) => [i, "GET", "/stats"]);
  const responses = await run(requests, routes);
  expect(responses.map(([, status]: [number, number]) => status)).toEqual([200, 200, 200, 200, 429]);
  expect((await routes.ask("POST", "/v1/app/batch", { body: "[]" })).status).toBe(429);
});
