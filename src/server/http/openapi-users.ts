import type { Json } from "./json-schemas.ts";
import { APP_ID, errors, json, NO_BODY, ok, parameter, WITH_BODY } from "./openapi-parts.ts";

const USER_ID = parameter(
  "userId",
  "path",
  "The user, percent-encoded. Clients and proxies take `.` and `..` for directories: put them into the query.",
);
const QUERY_USER_ID: Json = {
  ...parameter("userId", "query", "The user, percent-encoded; any id, also `.` and `..`."),
  required: true,
  schema: USER_ID.schema,
};

const KEY_RULES: Json = { pattern: "^[A-Za-z0-9_-]{1,64}$" };
const KEY = parameter("key", "path", "Names the session, among those of the user.", KEY_RULES);
const QUERY_KEY = parameter("key", "query", "Names a session that is written over HTTP.", KEY_RULES);

/** The operations on one user, whose id is in the path or in the query. */
function userPaths(path: string, user: Json): Record<string, Json> {
  const parameters = [APP_ID, user];
  const isQuery = user.in === "query";
  return {
    [path]: {
      delete: {
        operationId: isQuery ? "eraseUserByQuery" : "eraseUser",
        summary: "Ends all sessions of a user, and forgets status and last seen, on all nodes.",
        parameters,
        responses: { ...ok("Erased", "It is done."), ...errors(...NO_BODY) },
      },
    },
    [`${path}/sessions`]: {
      get: {
        operationId: isQuery ? "listSessionsOfUser" : "listUserSessions",
        summary: "The sessions of a user; none if the user is invisible.",
        parameters,
        responses: { ...ok("UserSessions", "The sessions."), ...errors(...NO_BODY) },
      },
      delete: {
        operationId: isQuery ? "endSessionsOfUser" : "endUserSessions",
        summary: isQuery
          ? "Ends all sessions of a user, cause `kicked`; with `key` only that one, cause `closed`."
          : "Ends all sessions of a user, cause `kicked`.",
        parameters: isQuery ? [...parameters, QUERY_KEY] : parameters,
        responses: { ...ok("Ended", "How many were ended."), ...errors(...NO_BODY) },
      },
      ...(isQuery && {
        put: writeSession("writeSessionOfUser", [...parameters, { ...QUERY_KEY, required: true }]),
      }),
    },
    [`${path}/status`]: {
      get: {
        operationId: isQuery ? "getStatusOfUser" : "getUserStatus",
        summary: "What a user has declared.",
        parameters,
        responses: { ...ok("UserStatus", "The status."), ...errors(...NO_BODY) },
      },
      put: {
        operationId: isQuery ? "setStatusOfUser" : "setUserStatus",
        summary: "Declares the whole status of a user.",
        parameters,
        requestBody: { description: "What is absent is the default again.", content: json("Status") },
        responses: { ...ok("UserStatus", "The status now."), ...errors(...WITH_BODY) },
      },
      delete: {
        operationId: isQuery ? "resetStatusOfUser" : "resetUserStatus",
        summary: "Makes the status of a user the default again.",
        parameters,
        responses: { ...ok("UserStatus", "The status now."), ...errors(...NO_BODY) },
      },
    },
  };
}

function writeSession(operationId: string, parameters: readonly Json[]): Json {
  return {
    operationId,
    summary: "Opens or patches a session without a socket, and restarts its life.",
    parameters,
    requestBody: { description: "`{}` or nothing restarts the life only.", content: json("SessionWrite") },
    responses: { ...ok("WrittenSession", "The session."), ...errors(...WITH_BODY) },
  };
}

/** The paths below `/users` of an app. */
export const USER_PATHS: Readonly<Record<string, Json>> = {
  ...userPaths("/v1/{appId}/users/{userId}", USER_ID),
  ...userPaths("/v1/{appId}/users", QUERY_USER_ID),
  "/v1/{appId}/users/{userId}/sessions/{key}": {
    put: writeSession("writeUserSession", [APP_ID, USER_ID, KEY]),
    delete: {
      operationId: "endUserSession",
      summary: "Ends a session that was written over HTTP, cause `closed`.",
      parameters: [APP_ID, USER_ID, KEY],
      responses: { ...ok("Ended", "1, or 0 if there was none."), ...errors(...NO_BODY) },
    },
  },
};
