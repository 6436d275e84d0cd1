import { expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { verifyToken } from "../../../src/server/auth/token.ts";

const app = new App({ id: "app", secrets: ["secret"] });

it("makes tokens that the app verifies, for itself and for its users", async () => {
  const ofApp = await mintToken("app", "secret", { tokenType: "app" });
  expect(verifyToken(app, ofApp, 0)).toMatchObject({ ok: true, principal: { kind: "app", exp: undefined } });
  const read = { userIds: ["bob"], conversationIds: ["c1"] };
  const ofUser = await mintToken("app", "secret", { tokenType: "user", sub: "alice", read }, 100);
  const grant = { kind: "some", userIds: new Set(["bob"]), conversationIds: new Set(["c1"]), counts: false };
  const principal = { kind: "user", userId: "alice", grant, exp: 100 };
  expect(verifyToken(app, ofUser, 0)).toMatchObject({ ok: true, principal });
});
