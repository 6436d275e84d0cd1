import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { sendRaw } from "../support/raw.ts";
import { upgradeRequest } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";

const GUARDED = "guarded-app";
const CLOSED = "closed-app";
const ALLOWED = [
  "https://app.example.com",
  "http://localhost:3000",
  "https://example.org:8443",
  "https://xn--bcher-kva.example",
  "http://[::1]:3000",
  // Pages that no web server has sent: of apps, of extensions, of files, and in a sandbox.
  "capacitor://localhost",
  "ionic://localhost",
  "tauri://localhost",
  "app://.",
  "app://obsidian.md",
  "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  "moz-extension://0f7a9e2c-5a44-4c5e-9a3b-7d1c2b3a4f5e",
  "safari-web-extension://0F7A9E2C-5A44-4C5E-9A3B-7D1C2B3A4F5E",
  "vscode-webview://1a2b3c",
  "file://",
  "null",
];

const REFUSED = [
  "https://evil.example",
  "NULL",
  "null, null",
  "capacitor://evil",
  "capacitor://localhost:1",
  "capacitor://LOCALHOST",
  "Capacitor://localhost",
  "capacitor://localhost/",
  "tauri:localhost",
  "app://",
  "chrome-extension://abcdefghijklmnopabcdefghijklmno",
  "file:///",
  "file:",
  "file://localhost",
  "https://app.example.com.evil.example",
  "https://evil-app.example.com",
  "https://app.example.com@evil.example",
  "https://user:pass@app.example.com",
  "https://sub.app.example.com",
  "https://example.com",
  "http://app.example.com",
  "wss://app.example.com",
  "app.example.com",
  "//app.example.com",
  "https://app.example.com:443",
  "https://app.example.com:8443",
  "https://app.example.com/",
  "https://app.example.com/path",
  "https://app.example.com?x",
  "https://app.example.com#x",
  "https://app.example.com.",
  "https://app-example.com",
  "https://appXexample.com",
  "HTTPS://APP.EXAMPLE.COM",
  "https://App.example.com",
  "https://app.example.com, https://evil.example",
  "https://evil.example https://app.example.com",
  "https://app.example.com\t",
  "http://localhost",
  "http://localhost:3001",
  "http://localhost:03000",
  "http://127.0.0.1:3000",
  "https://example.org",
  "https://bücher.example",
  "https://b%C3%BCcher.example",
  "http://::1:3000",
  "http://[0:0:0:0:0:0:0:1]:3000",
  "chrome-extension://app.example.com",
  "*",
  "https://*",
  "https://*.example.com",
  "undefined",
  "[object Object]",
  "__proto__",
].filter((origin) => origin.trim() === origin);

describe.each(TRANSPORTS)("origins over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      apps: [
        { id: GUARDED, secrets: ["another secret"], allowedOrigins: ALLOWED },
        { id: CLOSED, secrets: ["a third secret"], allowedOrigins: [] },
      ],
    });
  });
  afterAll(() => gateway.stop());

  /** Asks for an upgrade, byte for byte as it stands here. */
  async function upgrade(appId: string, ...headers: string[]): Promise<{ status: number; text: string }> {
    const request = upgradeRequest({ path: `/v1/${encodeURIComponent(appId)}/realtime`, lines: headers });
    const text = await sendRaw(gateway.gateway.port, request, 50, (sofar) => sofar !== "");
    return { status: Number(text.slice(9, 12)), text };
  }

  it.concurrent.each(ALLOWED)("%s may connect if it is listed", async (origin) => {
    expect((await upgrade(GUARDED, `Origin: ${origin}`)).status).toBe(101);
    expect((await upgrade(CLOSED, `Origin: ${origin}`)).status).toBe(403);
  });

  it.concurrent.each(REFUSED)("%s may not, and is refused before the upgrade", async (origin) => {
    const { status, text } = await upgrade(GUARDED, `Origin: ${origin}`);
    expect(status).toBe(403);
    expect(text).toMatch(/content-type: application\/json/i);
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    expect(JSON.parse(body)).toEqual({ errorCode: "FORBIDDEN", reasons: { upgrade: [expect.any(String)] } });
    // Nothing that would let a page read the answer all the same.
    expect(text).not.toMatch(/access-control|sec-websocket-accept/i);
  });

  it("an empty Origin is one that is not listed", async () => {
    expect((await upgrade(GUARDED, "Origin:")).status).toBe(403);
    expect((await upgrade(GUARDED, "Origin: ")).status).toBe(403);
  });

  it("of two Origins neither counts", async () => {
    const both = ["Origin: https://app.example.com", "Origin: https://evil.example"];
    expect((await upgrade(GUARDED, ...both)).status).toBe(403);
    expect((await upgrade(GUARDED, ...both.reverse())).status).toBe(403);
  });

  it("no Origin, as programs send none, is allowed, whatever the list", async () => {
    expect((await upgrade(GUARDED)).status).toBe(101);
    expect((await upgrade(CLOSED)).status).toBe(101);
    expect((await upgrade(APP)).status).toBe(101);
  });

  it("an app without a list allows every origin", async () => {
    for (const origin of ["https://evil.example", "null", "", "https://app.example.com"]) {
      expect((await upgrade(APP, `Origin: ${origin}`)).status).toBe(101);
    }
  });

  it.each([
    "nowhere",
    "__proto__",
    "constructor",
    "toString",
    "Test-App",
    " test-app",
    "test-app/x",
    "%",
    "👩‍💻",
    "\0",
  ])("an app that there is not, %j, is 404", async (appId) => {
    const { status, text } = await upgrade(appId);
    expect(status).toBe(404);
    expect(text).toContain('"errorCode":"NOT_FOUND"');
  });

  it("refused upgrades hold no place", async () => {
    await expect.poll(() => gateway.node.admissions.connections).toBe(0);
  });
});
