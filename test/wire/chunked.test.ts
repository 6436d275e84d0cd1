import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const PATH = `/v1/${APP}/presences`;

/** The head of a POST, with further header lines. */
const post = (headers: string, secret = SECRET) =>
  `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nContent-Type: application/json\r\n${headers}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const END = "0\r\n\r\n";
const ALICE = '{"userIds":["alice"]}';
const WHOLE = post(CHUNKED) + chunk(ALICE) + END;

describe.each(TRANSPORTS)("bodies in chunks over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
    for (const userId of ["alice", "bob"]) await (await gateway.connect(userId)).open({});
  });
  afterAll(() => gateway.stop());

  const dataOf = (answer: string) => Object.keys(JSON.parse(/\{.*\}/s.exec(answer)![0]).data);
  const send = (text: string) => sendRaw(gateway.gateway.port, Buffer.from(text, "latin1"));

  /** Sends the parts one after the other, each in a packet of its own. */
  async function sendParts(parts: readonly string[]): Promise<string> {
    const tcp = connect(gateway.gateway.port, "127.0.0.1");
    tcp.setNoDelay(true);
    let text = "";
    tcp.on("error", () => {});
    tcp.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    await once(tcp, "connect");
    for (const part of parts) {
      await new Promise<void>((sent) => tcp.write(part, "latin1", () => sent()));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => /\r\n\r\n.*\}$/s.test(text));
    tcp.destroy();
    return text;
  }

  it.each([
    ["one chunk", chunk(ALICE)],
    ["a chunk for each byte", [...ALICE].map(chunk).join("")],
    [
      "capitals and zeros in the size",
      `000${chunk(ALICE.padEnd(0x2f)).toUpperCase().slice(0, 2)}\r\n${ALICE.padEnd(0x2f)}\r\n`,
    ],
  ])("are accepted: %s", async (_name, chunks) => {
    const answer = await send(post(CHUNKED) + chunks + END);
    expect(statuses(answer)).toEqual([200]);
    expect(dataOf(answer)).toEqual(["alice"]);
  });

  it("are accepted in any case of the coding's name", async () => {
    const answer = await send(post("transfer-encoding: Chunked\r\n") + chunk(ALICE) + END);
    expect(statuses(answer)).toEqual([200]);
  });

  it("that are empty ask for everyone", async () => {
    expect(dataOf(await send(post(CHUNKED) + END)).sort()).toEqual(["alice", "bob"]);
  });

  it("mean the same wherever the network cuts them", async () => {
    const headEnd = WHOLE.indexOf("\r\n\r\n") + 2;
    const cuts = Array.from({ length: WHOLE.length - headEnd }, (_, i) => headEnd + i);
    await Promise.all(
      cuts.map(async (at) => {
        expect(dataOf(await sendParts([WHOLE.slice(0, at), WHOLE.slice(at)]))).toEqual(["alice"]);
      }),
    );
    expect(dataOf(await sendParts([...WHOLE]))).toEqual(["alice"]);
  });

  it("may be long, up to the limit, and in small chunks", async () => {
    const filter = ALICE.padEnd(400_000);
    const small = filter
      .match(/.{1,16}/g)!
      .map(chunk)
      .join("");
    const answer = await send(post(CHUNKED) + small + END);
    expect(dataOf(answer)).toEqual(["alice"]);
  });

  it.each([600_000, 3_000_000])("of %i bytes are 413, when all of it was sent", async (bytes) => {
    const answer = await send(post(CHUNKED) + chunk("x".repeat(bytes)) + END);
    expect(statuses(answer)).toEqual([413]);
    expect(answer).toContain("PAYLOAD_TOO_LARGE");
  });

  it.each([
    [413, SECRET],
    [401, "wrong"],
  ])("without an end are %i at some time, and end the connection", async (status, secret) => {
    const tcp = connect(gateway.gateway.port, "127.0.0.1");
    let text = "";
    tcp.on("error", () => {});
    tcp.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    tcp.write(post(CHUNKED, secret));
    const more = chunk("x".repeat(100_000));
    const going = setInterval(() => tcp.write(more), 1);
    await until(() => tcp.closed);
    clearInterval(going);
    // The client may see the end of the connection before the response: it was still sending.
    expect(text === "" || statuses(text)[0] === status).toBe(true);
  });

  it("have their credentials checked before they come", async () => {
    const answer = await send(post(CHUNKED, "wrong"));
    expect(statuses(answer)).toEqual([401]);
  });

  it("may be sent to their end after they were refused, as clients do that listen only then", async () => {
    const tcp = connect(gateway.gateway.port, "127.0.0.1");
    const errors: Error[] = [];
    tcp.on("error", (error) => errors.push(error));
    tcp.write(post(CHUNKED, "wrong"));
    const [answer] = await once(tcp, "data");
    expect(statuses(String(answer))).toEqual([401]);
    // More than the kernel takes from a connection that nobody reads.
    for (let i = 0; i < 100; i++) {
      await new Promise((written) => tcp.write(chunk("x".repeat(100_000)), written));
    }
    tcp.write(END);
    expect(errors).toEqual([]);
    tcp.destroy();
  });

  it.each([
    ["another coding", "Transfer-Encoding: gzip\r\n"],
    ["another coding before", "Transfer-Encoding: gzip, chunked\r\n"],
    ["another coding after", "Transfer-Encoding: chunked, identity\r\n"],
    ["chunks twice", "Transfer-Encoding: chunked, chunked\r\n"],
    ["two headers", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
    ["an empty coding", "Transfer-Encoding:\r\n"],
    ["a length too", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
  ])("are refused with %s", async (_name, headers) => {
    const answer = await send(post(headers) + chunk(ALICE) + END);
    expect(statuses(answer)).toEqual([400]);
  });

  it.each([
    ["a size that is no number", `zz\r\n${ALICE}\r\n${END}`],
    ["a negative size", `-1\r\n${ALICE}\r\n${END}`],
    ["a size of seventy bits", `fffffffffffffffff\r\n${ALICE}\r\n${END}`],
  ])("are refused with %s", async (_name, chunks) => {
    expect(statuses(await send(post(CHUNKED) + chunks))).toEqual([400]);
  });

  it.each([
    ["trailers", `${chunk(ALICE)}0\r\nX-Trailer: y\r\n\r\n`],
    ["extensions", `${chunk(ALICE).replace("\r", ";a=b\r")}${END}`],
  ])("with %s are accepted or refused, never misread", async (_name, chunks) => {
    const answer = await send(post(CHUNKED) + chunks);
    if (transport === "ws") expect([statuses(answer), dataOf(answer)]).toEqual([[200], ["alice"]]);
    // uWebSockets.js knows neither, and may end the connection without an answer.
    else expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
  });

  it("of requests that want none are passed over", async () => {
    const answer = await send(WHOLE.replace(`POST ${PATH}`, `GET /v1/${APP}/users/alice/sessions`));
    expect(statuses(answer)).toEqual([200]);
    expect(answer).toContain('[{"isTyping":false,"currentConversationId":null}]');
  });

  it.each(["identity", "IDENTITY", ""])(
    "and others are accepted with the Content-Encoding %j",
    async (coding) => {
      const { status } = await gateway.http("POST", PATH, ALICE, { "content-encoding": coding });
      expect(status).toBe(200);
    },
  );

  it.each(["gzip", "br", "identity, gzip", "x"])(
    "and others are 415 with the Content-Encoding %j",
    async (coding) => {
      const { status, json } = await gateway.http("POST", PATH, ALICE, { "content-encoding": coding });
      expect(status).toBe(415);
      expect(json.reasons).toHaveProperty("content-encoding");
    },
  );

  it("come from fetch, and from node:http, as these send streams", async () => {
    const response = await fetch(`${gateway.url}${PATH}`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
      body: new Blob([ALICE.slice(0, 5), ALICE.slice(5)]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(Object.keys(((await response.json()) as { data: object }).data)).toEqual(["alice"]);
    const sent = httpRequest(`${gateway.url}${PATH}`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}` },
    });
    sent.write(ALICE.slice(0, 5));
    sent.end(ALICE.slice(5));
    const [answer] = await once(sent, "response");
    expect(answer.statusCode).toBe(200);
    answer.resume();
  });

  describe("a client that waits to be told to go on", () => {
    const NAMES = ["100-continue", "100-Continue", "100-CONTINUE"];
    const length = `Content-Length: ${ALICE.length}\r\n`;

    it.each(NAMES)("is told, with Expect: %s", async (name) => {
      const tcp = connect(gateway.gateway.port, "127.0.0.1");
      tcp.write(post(`${length}Expect: ${name}\r\n`));
      const [told] = await once(tcp, "data");
      expect(String(told)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
      tcp.write(ALICE);
      const [answer] = await once(tcp, "data");
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(dataOf(String(answer))).toEqual(["alice"]);
      tcp.destroy();
    });

    it.each(NAMES)("is told before chunks too, with Expect: %s", async (name) => {
      const tcp = connect(gateway.gateway.port, "127.0.0.1");
      tcp.write(post(`${CHUNKED}Expect: ${name}\r\n`));
      const [told] = await once(tcp, "data");
      expect(String(told)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
      tcp.write(chunk(ALICE) + END);
      const [answer] = await once(tcp, "data");
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(dataOf(String(answer))).toEqual(["alice"]);
      tcp.destroy();
    });

    it.each(NAMES)("hears errors of its body, with Expect: %s", async (name) => {
      const answer = await send(`${post(`Content-Length: 3\r\nExpect: ${name}\r\n`)}{x}`);
      expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 Bad Request\r\n/);
      expect(answer).toContain('"is not JSON"');
    });

    it.each(NAMES)("is refused with bad credentials, with Expect: %s", async (name) => {
      const answer = await send(post(`${length}Expect: ${name}\r\n`, "wrong"));
      expect(answer).toContain("HTTP/1.1 401 Unauthorized\r\n");
      // uWebSockets.js says by itself that the client may go on, where the name has small letters.
      if (transport === "ws" || name !== "100-continue") expect(answer).not.toContain("100 Continue");
    });
  });
});
