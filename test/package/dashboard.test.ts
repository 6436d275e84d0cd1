import { request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** Takes an answer as it is, compressed or not. */
function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on("error", reject).end();
  });
}

describe.each(TRANSPORTS)("the built dashboard over %s", (transport) => {
  let gateway: TestGateway;
  let page: string;
  let assets: string[];

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
    page = (await ask(`${gateway.url}/dashboard/`)).body.toString();
    assets = [...page.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map((match) => `/dashboard${match[1]}`);
  });
  afterAll(() => gateway.stop());

  it("is a page that names its files, and has nothing inline", () => {
    expect(assets.map((path) => path.replace(/-[\w-]{8}\./, ".")).sort()).toEqual([
      "/dashboard/assets/icon.svg",
      "/dashboard/assets/index.css",
      "/dashboard/assets/index.js",
    ]);
    expect(page).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:/);
  });

  it("is sent with a policy under which it runs nothing else", async () => {
    for (const path of ["/dashboard/", ...assets]) {
      const { headers } = await ask(gateway.url + path);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": expect.stringContaining("camera=()"),
        vary: "accept-encoding",
        "cache-control": path === "/dashboard/" ? "no-cache" : "public, max-age=31536000, immutable",
      });
      const policy = headers["content-security-policy"] as string;
      for (const directive of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]) {
        expect(policy.split("; ")).toContain(directive);
      }
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
    }
  });

  it("is compressed for clients that accept that, and has the same content", async () => {
    for (const path of assets.filter((asset) => /\.(js|css)$/.test(asset))) {
      const plain = await ask(gateway.url + path);
      expect(plain.headers["content-encoding"]).toBeUndefined();
      const br = await ask(gateway.url + path, { "accept-encoding": "gzip, deflate, br" });
      expect(br.headers["content-encoding"]).toBe("br");
      expect(brotliDecompressSync(br.body).equals(plain.body)).toBe(true);
      const gzip = await ask(gateway.url + path, { "accept-encoding": "GZIP;q=1, br;q=0" });
      expect(gzip.headers["content-encoding"]).toBe("gzip");
      expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
      expect(gzip.headers["content-type"]).toBe(plain.headers["content-type"]);
      // A list that is longer than any browser's is not read: it took milliseconds.
      const long = `br${",".repeat(1_100)}`;
      for (const refused of ["identity", "", "gzip;q=0, br;q=0.000", "x-gzip", long]) {
        const answer = await ask(gateway.url + path, { "accept-encoding": refused });
        expect(answer.headers["content-encoding"]).toBeUndefined();
      }
      const head = await ask(gateway.url + path, { "accept-encoding": "br" }, "HEAD");
      expect(head.headers["content-length"]).toBe(String(br.body.length));
      expect(head.body).toHaveLength(0);
    }
  });

  it.each([
    "/dashboard/index.html",
    "/dashboard/assets/",
    "/dashboard/assets/../index.html",
    "/dashboard/assets/..%2findex.html",
    "/dashboard/..%2f..%2fpackage.json",
    "/dashboard/%2e%2e/main.js",
    "/dashboard/assets/nothing.js",
  ])("has nothing at %s", async (path) => {
    // Without the tidying of paths that fetch does.
    const { hostname, port } = new URL(gateway.url);
    const status = await new Promise((resolve, reject) => {
      request({ hostname, port, path }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(404);
  });

  it("does not have its compressed files as files", async () => {
    for (const path of assets) expect((await ask(`${gateway.url + path}.br`)).status).toBe(404);
  });
});
