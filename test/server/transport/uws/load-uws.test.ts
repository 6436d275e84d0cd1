import { describe, expect, it } from "vitest";
import { loadUws, uwsCandidates } from "../../../../src/server/transport/uws/load-uws.ts";

describe("the builds of uWebSockets.js", () => {
  const missing = (name: string) => {
    throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- x`), {
      code: "MODULE_NOT_FOUND",
    });
  };

  it("are looked for by platform, processor and Node, the user's own first", () => {
    expect(uwsCandidates("linux", "x64", "22.1.0")).toEqual([
      "uWebSockets.js",
      "uwsjs-linux-x64-22-next",
      "uwsjs-linux-x64-22",
    ]);
  });

  it("that do not load leave a reason each, a line long", () => {
    const loaded = loadUws(
      (name) => {
        if (name === "broken") throw new Error("GLIBC_2.38 not found\n(required by …)");
        if (name === "odd") throw "not even an error";
        return missing(name);
      },
      ["absent", "broken", "odd"],
    );
    expect(loaded).toEqual({
      uws: undefined,
      reasons: ["absent: not installed", "broken: GLIBC_2.38 not found", "odd: "],
    });
  });

  it("are tried until one loads", () => {
    const tried: string[] = [];
    const build = {};
    const loaded = loadUws(
      (name) => {
        tried.push(name);
        return name === "second" ? build : missing(name);
      },
      ["first", "second", "third"],
    );
    expect(loaded.uws).toBe(build);
    expect(loaded).toMatchObject({ source: "second" });
    expect(tried).toEqual(["first", "second"]);
  });
});
