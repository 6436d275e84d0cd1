import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { makeWebhookSecret } from "../../src/server/auth/webhook-secret.ts";
import { TestGateway } from "../support/gateway.ts";
import { presentIn, WebhookSender } from "../support/webhook-sender.ts";
import { ProgramRun } from "./program-run.ts";

let run: ProgramRun;
let errors: string;

function listen(...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["webhook", "listen", ...args]);
  errors = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    errors += text;
    return true;
  });
  return run;
}

afterEach(() => {
  run.restore();
  vi.unstubAllEnvs();
});

/** Waits until a line has come that matches. */
async function printed(pattern: RegExp, text = () => run.output): Promise<RegExpExecArray> {
  await vi.waitFor(() => expect(text()).toMatch(pattern));
  return pattern.exec(text())!;
}
const URL_LINE = /^receiving webhooks on (http:\S+)$/m;

async function end(): Promise<void> {
  run.signal("SIGINT");
  await run.over;
  expect(run.exitCode).toBe(0);
}

test("makes a secret, prints what the app needs, and then what comes", async () => {
  listen("--port", "0");
  const [, config] = await printed(/^"webhooks": (\[.*\])$/m);
  const [{ id, url, secrets }] = JSON.parse(config!);
  expect({ id, url }).toEqual({ id: "dev", url: (await printed(URL_LINE))[1] });
  const sender = new WebhookSender(url, secrets[0]);
  sender.set("alice\u001b[2J", presentIn("c1"));
  expect(await sender.exchange()).toMatchObject({ status: 204 });
  await printed(/^\d\d:\d\d:\d\d copy: a snapshot, 1 user\n\S+ copy: alice\\u\{1b\}\[2J is there: c1$/m);
  await end();
});

test("receives what a gateway sends", async () => {
  const secret = makeWebhookSecret();
  vi.stubEnv("WEBHOOK_SECRET", secret);
  listen("--port", "0", "--resync");
  const webhook = { id: "dev", url: (await printed(URL_LINE))[1]!, secrets: [secret], intervalMs: 100 };
  const gateway = await TestGateway.start("ws", {
    app: { webhooks: [webhook] },
    env: { RESUME_WINDOW_MS: "0", TYPING_TIMEOUT_MS: "1000" },
  });
  // The first message is a snapshot, and so is the one that --resync asks for.
  await printed(/a snapshot, 0 users\n.*--resync\n.*a snapshot, 0 users$/m);
  const alice = await gateway.connect("alice");
  await alice.open({ selectedConversationId: "c1" });
  await printed(/ dev: alice entered: c1$/m);
  alice.send({ type: "close" });
  await printed(/ dev: alice left: closed$/m);
  await gateway.stop();
  await end();
});

test("never prints a secret that is given", async () => {
  const secret = makeWebhookSecret();
  vi.stubEnv("WEBHOOK_SECRET", secret);
  listen("--port", "0", "--resync");
  const sender = new WebhookSender((await printed(URL_LINE))[1]!, secret);
  expect(await sender.exchange()).toEqual({ status: 200, text: '{"resync":true}' });
  await sender.exchange();
  const wrong = new WebhookSender((await printed(URL_LINE))[1]!, makeWebhookSecret());
  expect(await wrong.exchange()).toMatchObject({ status: 401 });
  await printed(/refused a request with 401/);
  expect(run.output).not.toContain(secret.slice(6, 20));
  expect(run.output).not.toContain('webhooks":');
  await end();
});

test("--json prints messages, and nothing else, on standard output", async () => {
  listen("--port", "0", "--json");
  const [, config] = await printed(/^"webhooks": (\[.*\])$/m, () => errors);
  const [{ url, secrets }] = JSON.parse(config!);
  const sender = new WebhookSender(url, secrets[0]);
  await sender.exchange();
  await printed(/\n/);
  expect(run.lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ type: "presence.snapshot", data: expect.objectContaining({ users: {} }) }),
  ]);
  await end();
});

test("listens on IPv6 too, where this machine has it", async () => {
  listen("--port", "0", "--host", "localhost");
  await printed(/^receiving webhooks on http:\/\/(127\.0\.0\.1|\[::1\]):\d+\/$/m);
  await end();
});

test("says that a port is taken", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  await expect(listen("--port", String(port)).over).rejects.toThrow(
    `it cannot listen on 127.0.0.1, port ${port}: the port is taken, choose another one with --port`,
  );
  other.close();
});

test("an address that others reach is refused unless it is allowed", async () => {
  await expect(listen("--port", "0", "--host", "0.0.0.0").over).rejects.toThrow("unless --allow-remote");
  run.restore();
  listen("--port", "0", "--host", "0.0.0.0", "--allow-remote");
  await printed(URL_LINE);
  await end();
});

test.each([
  [["--port", "65536"], "from 0 to 65535"],
  [["--port", "-1"], "from 0 to 65535"],
  [["--port", ""], "from 0 to 65535"],
  [["--host", "no such host"], "--host must be an address, or a name that has one"],
  [["--host", ""], "--host must be an address, or a name that has one"],
  [["--secret", "whsec_short"], "--secret (WEBHOOK_SECRET) must be base64"],
  [["--secret", "private-thing"], "--secret (WEBHOOK_SECRET) must begin with whsec_"],
  [["extra"], "too many arguments"],
])("%j is wrong usage", async (args, message) => {
  await expect(listen(...args).over).rejects.toThrow(message);
  await listen(...args).over.catch(({ message }) => expect(message).not.toMatch(/short|private-thing/));
});
