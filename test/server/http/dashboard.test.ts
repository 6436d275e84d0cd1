import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { type DashboardFile, dashboardFiles, readDashboard } from "../../../src/server/http/dashboard.ts";
import { requestOf } from "../../support/http-handler.ts";

describe("the files of the dashboard", () => {
  it("are those that a build makes, and no others", () => {
    const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
    mkdirSync(join(folder, "assets"));
    for (const name of [
      "index.html",
      "assets/a-1.js",
      "assets/a-1.js.br",
      "assets/:x.js",
      "notes.txt",
      ".env",
    ]) {
      writeFileSync(join(folder, name), name);
    }
    const files = readDashboard(pathToFileURL(`${folder}/`));
    expect(files.map(({ name }) => name).sort()).toEqual(["assets/a-1.js", "index.html"]);
    expect(files.find(({ name }) => name === "assets/a-1.js")).toMatchObject({
      br: Buffer.from("assets/a-1.js.br"),
      gzip: undefined,
    });
    rmSync(folder, { recursive: true });
  });

  it("that were not built leave a page that says how to build them", () => {
    expect(readDashboard(new URL("file:///nowhere/at/all/"))).toEqual([]);
    const files = dashboardFiles([]);
    expect(files.map(({ path }) => path)).toEqual(["/dashboard/"]);
    const answer = files[0]!.respond(requestOf());
    expect(answer).toMatchObject({ status: 200, body: expect.any(Buffer) });
    expect(String(answer.body)).toContain("npm run build");
  });
});

describe("a file", () => {
  const file: DashboardFile = {
    name: "assets/a-1.js",
    plain: Buffer.from("plain"),
    br: Buffer.from("br"),
    gzip: Buffer.from("gzip"),
  };
  const page: DashboardFile = {
    name: "index.html",
    plain: Buffer.from("page"),
    br: undefined,
    gzip: undefined,
  };
  const [ofPage, ofFile] = dashboardFiles([file, page]);
  const ask = (accepted: string | undefined, served = ofFile!) =>
    served.respond(requestOf({ headers: { "accept-encoding": accepted } }));

  it.each([
    ["br", "br"],
    ["gzip, deflate, BR", "br"],
    ["gzip", "gzip"],
    ["gzip;q=0.5", "gzip"],
    ["br;q=0, gzip;q=1", "gzip"],
    ["br; q=0.000", "plain"],
    ["deflate", "plain"],
    ["", "plain"],
    [undefined, "plain"],
  ])("for a client that accepts %j is %s", (accepted, expected) => {
    const { body, headers } = ask(accepted);
    expect(String(body)).toBe(expected);
    expect(headers["content-encoding"]).toBe(expected === "plain" ? undefined : expected);
    expect(headers.vary).toBe("accept-encoding");
  });

  it("is not compressed for a list of codings that is longer than any browser's", () => {
    expect(String(ask(`gzip,${"x".repeat(1_000)}`).body)).toBe("gzip");
    expect(String(ask(`gzip,${"x".repeat(1_020)}`).body)).toBe("plain");
  });

  it("that was not compressed is sent as it is", () => {
    expect(String(ask("br, gzip", ofPage!).body)).toBe("page");
  });

  it("is cached for good, but for the page, which names the others", () => {
    expect([ofPage!.path, ofFile!.path]).toEqual(["/dashboard/", "/dashboard/assets/a-1.js"]);
    expect(ask("br").headers["cache-control"]).toMatch(/immutable/);
    expect(ask("br", ofPage!).headers["cache-control"]).toBe("no-cache");
  });
});
