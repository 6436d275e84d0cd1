import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BodyWanted, jsonResponse } from "../../src/server/http/exchange.ts";
import type { Transport, TransportOptions } from "../../src/server/transport/transport.ts";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import { listenUws } from "../../src/server/transport/uws/uws.ts";
import { listenWs } from "../../src/server/transport/ws/ws.ts";
import { framedRequests } from "../support/framing.ts";
import { Random } from "../support/random.ts";
import { sendPackets } from "../support/raw.ts";
import { SEED } from "../support/seed.ts";
import { limitsOf } from "../support/transport-options.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// Random bytes around chunks, in random packets. Whatever the transport makes of them, it never handles a
// request that correct framing does not make one.

const RUNS = 600;
const AT_ONCE = 30;

interface Handled {
  readonly path: string;
  readonly body: string | undefined;
}

describe.each(TRANSPORTS)("what is a request over %s", (name) => {
  let transport: Transport;
  const handled = new Map<string, Handled[]>();
  const crashes: unknown[] = [];
  const note = (run: string, request: Handled) => handled.set(run, [...(handled.get(run) ?? []), request]);

  beforeAll(async () => {
    const options: TransportOptions = {
      host: "127.0.0.1",
      port: 0,
      maxMessageBytes: 65_536,
      maxBufferedBytes: 65_536,
      ...limitsOf(name),
      upgrade: () => ({ ok: false, status: 403, message: "no" }),
      handle: (request) => {
        const { path, method } = request;
        const [, run = ""] = path.split("/");
        request.authorized();
        if (method !== "POST") {
          note(run, { path, body: undefined });
          return jsonResponse(200, {});
        }
        return new BodyWanted(run, (body) => {
          note(run, { path, body: body.toString("latin1") });
          return jsonResponse(200, {});
        });
      },
      clientAddress: (peer) => peer,
      crashed: (error) => crashes.push(error),
    };
    const { uws } = loadUws();
    transport = name === "uws" ? await listenUws(uws!, options) : await listenWs(options);
  });
  afterAll(() => transport.close());

  it("an honest request in chunks, in any packets, is handled with its body", async () => {
    const random = new Random(SEED);
    const inputs = Array.from({ length: 40 }, (_, i) => honest(random, `honest-${i}`));
    await inParallel(inputs, ({ name: of, packets }) =>
      sendPackets(transport.port, packets, () => until(() => handled.has(of))),
    );
    for (const input of inputs) {
      expect(handled.get(input.name), JSON.stringify(input.packets)).toEqual(
        framedRequests(input.packets.join("")),
      );
    }
  });

  it("nothing is handled that is none", async () => {
    const random = new Random(SEED);
    const inputs = [...FOUND, ...Array.from({ length: RUNS }, (_, i) => hostile(random, `run-${i}`))];
    // What is handled later than this is not seen. A defect that is there is seen in other runs.
    const pause = () => new Promise((resolve) => setTimeout(resolve, 40));
    await inParallel(inputs, ({ packets }) => sendPackets(transport.port, packets, pause));
    let most = 0;
    for (const { name: of, packets } of inputs) {
      // What names another run is noted there.
      const framed = framedRequests(packets.join("")).filter(({ path }) => path.split("/")[1] === of);
      const seen = handled.get(of) ?? [];
      const paths = seen.map(({ path }) => path);
      expect(paths, JSON.stringify(packets)).toEqual(framed.slice(0, paths.length).map(({ path }) => path));
      if (name === "ws") {
        // uWebSockets.js does not check all that is around the bytes of a body.
        for (const [i, { body }] of seen.entries()) {
          if (body !== undefined) expect(body, JSON.stringify(packets)).toBe(framed[i]!.body);
        }
      }
      most = Math.max(most, seen.length);
    }
    expect(most).toBeGreaterThan(0);
    expect(crashes).toEqual([]);
  });
});

interface Input {
  readonly name: string;
  readonly packets: readonly string[];
}

const head = (line: string, headers: string) => `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

function honest(random: Random, name: string): Input {
  let text = head(`POST /${name}/a`, "Transfer-Encoding: chunked\r\n");
  for (let i = random.below(4); i > 0; i--) text += chunk("x".repeat(1 + random.below(40)));
  return { name, packets: cut(random, `${text}0\r\n\r\n`) };
}

/** What random inputs have found. */
const FOUND: readonly Input[] = [
  {
    // The rest of a body that was read as a request line, whose method is no token.
    name: "found-1",
    packets: [
      "POST /found-1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n3b\r\nG",
      "X:GET /found-1/hidden HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
  },
];

/** Bytes that mean something to one reader or another. */
const ODD = [
  "\r\n",
  "\n",
  "\r",
  "0",
  "0\r\n\r\n",
  " ",
  "\t",
  ";",
  ";a=b",
  "g",
  "f".repeat(17),
  "-",
  "+1",
  "0x",
  ":",
  "\0",
];

function hostile(random: Random, name: string): Input {
  const hidden = () => head(`GET /${name}/hidden`, random.pick(["", "Content-Length: 5\r\n"]));
  const part = (): string => {
    switch (random.below(8)) {
      case 0:
        return chunk(hidden());
      case 1:
        return hidden();
      case 2:
        return `${random.below(40).toString(16)}\r\n${hidden()}\r\n`;
      case 3:
        return `0\r\n${random.pick(["X:", "XX", "a", ""])}${hidden()}\r\n`;
      case 4:
        return `${random.pick(["5;a=b", "5 ;c", " 5", "05", "5\t", '5;x="\n"'])}\r\nhello\r\n`;
      case 5:
        return chunk("x".repeat(random.below(20)));
      case 6:
        return "0\r\n\r\n";
      default:
        return random.pick(ODD);
    }
  };
  const coding = random.pick([
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: Chunked \r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Transfer-Encoding: x\r\n",
    "Content-Length: 5\r\n",
  ]);
  let text = head(`${random.pick(["POST", "POST", "GET"])} /${name}/a`, coding);
  for (let i = 1 + random.below(5); i > 0; i--) text += part();
  text += random.pick(["", "0\r\n\r\n", `0\r\n\r\n${hidden()}`]);
  if (random.oneIn(3)) {
    const at = text.indexOf("\r\n\r\n") + 4 + random.below(text.length);
    text = text.slice(0, at) + random.pick(ODD) + text.slice(at + random.below(3));
  }
  return { name, packets: cut(random, text) };
}

/** Cuts a text into some packets. */
function cut(random: Random, text: string): string[] {
  const packets: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const length = random.oneIn(2) ? rest.length : 1 + random.below(Math.min(rest.length, 60));
    packets.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return packets;
}

async function inParallel(inputs: readonly Input[], run: (input: Input) => Promise<void>): Promise<void> {
  const left = [...inputs];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
