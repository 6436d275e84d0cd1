import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT } from "../support/process.ts";

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
}

const lock = JSON.parse(readFileSync(join(PROJECT, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const shipped = Object.entries(lock.packages).filter(
  // Without the packages of this project.
  ([path, { dev, link }]) => path.startsWith("node_modules/") && !dev && !link,
);

function isAtLeast(version: string, floor: string): boolean {
  const [a, b] = [version, floor].map((text) => text.split(".").map(Number));
  const i = a!.findIndex((part, at) => part !== b![at]);
  return i === -1 || a![i]! > b![i]!;
}

describe("the packages that are installed with the gateway", () => {
  it("are pinned by hash in the lock file, native builds included", () => {
    expect(shipped.length).toBeGreaterThan(10);
    const loose = shipped.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""));
    expect(loose.map(([path]) => path)).toEqual([]);
    expect(shipped.filter(([path]) => path.includes("uwsjs-"))).toHaveLength(5);
  });

  it("run no scripts during installation", () => {
    expect(shipped.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([]);
  });

  it.each([
    // transport/ws/ws.ts sets its limits on fragments and chunks.
    ["ws", "8.23.0"],
    ["jose", "6.0.0"],
    ["find-my-way", "9.0.0"],
    ["proxy-addr", "2.0.7"],
    ["ipaddr.js", "2.0.0"],
  ])("has %s %s at least", (name, floor) => {
    const { version } = lock.packages[`node_modules/${name}`]!;
    expect(isAtLeast(version, floor), version).toBe(true);
  });
});
