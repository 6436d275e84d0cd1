import { describe, expect, it } from "vitest";
import type { Command, Entry, LogStatus } from "../../../src/server/cluster/log.ts";
import { Reachability } from "../../../src/server/cluster/reachability.ts";
import { Reader, type ReaderTarget } from "../../../src/server/cluster/reader.ts";

const entry = (count: number): Entry => ({ id: `${count}-0`, kind: "evict", count, writer: `w${count}` });
const lookAt = (count: number, found?: Entry): LogStatus => ({
  end: { count, id: `${count}-0` },
  found,
  register: [],
});

/** A reader whose target does what a test wants at one of the entries. */
function reading(at: number, act: (reader: Reader) => void) {
  const seen: string[] = [];
  const target: ReaderTarget = {
    apply({ id }) {
      seen.push(id);
      if (id === `${at}-0`) act(reader);
    },
    loading: () => void seen.push("loading"),
    row: () => {},
    loaded: () => void seen.push("loaded"),
    badInput: () => {},
  };
  const reader = new Reader(target, new Reachability(1_000));
  const step = (now: number) => {
    const commands: Command[] = [];
    reader.step(commands, now);
    return commands.map((command) => command.do);
  };
  reader.linked(0);
  expect(step(0)).toEqual(["readStatus"]);
  reader.statusRead(lookAt(0), 0);
  expect(step(0)).toEqual(["scan"]);
  reader.scanned({ next: undefined, rows: [] }, 0);
  expect(step(0)).toEqual(["readStatus"]);
  return { reader, seen, step };
}

describe("a reader that is made to read all rows by an entry", () => {
  const restart = (reader: Reader) => reader.restart(5, "refused");

  it("leaves the entries after it to that", () => {
    const { reader, seen, step } = reading(2, restart);
    reader.statusRead(lookAt(0), 0);
    reader.read("0-0", [entry(1), entry(2), entry(3)], 5);
    expect(seen).toEqual(["loading", "loaded", "1-0", "2-0"]);
    expect(reader.after).toBeUndefined();
    expect(step(2_000)).toEqual(["readStatus"]);
  });

  it("does not follow the log because of entries that it had kept", () => {
    const { reader, seen, step } = reading(1, restart);
    reader.read("0-0", [entry(1), entry(2)], 0);
    reader.statusRead(lookAt(2), 5);
    expect(seen).toEqual(["loading", "1-0", "2-0"]);
    expect(reader.isFollowing).toBe(false);
    expect(step(2_000)).toEqual(["readStatus"]);
  });
});

it("a reader in doubt goes on reading, and reads all rows once it may", () => {
  const { reader, seen, step } = reading(2, (each) => each.doubt(5));
  reader.statusRead(lookAt(0), 0);
  reader.read("0-0", [entry(1), entry(2), entry(3)], 5);
  expect(seen.slice(-3)).toEqual(["1-0", "2-0", "3-0"]);
  expect(reader.isInDoubt).toBe(true);
  expect(step(500)).toEqual([]);
  expect(step(1_000)).toEqual(["readStatus"]);
  reader.statusRead(lookAt(3), 1_000);
  expect(reader.isInDoubt).toBe(false);
});

describe("a reader whose node serves more apps", () => {
  const added = (reader: Reader) => reader.appsAdded(2_000);

  it("reads all rows, where it was following", () => {
    const { reader, seen, step } = reading(0, () => {});
    reader.statusRead(lookAt(0), 0);
    added(reader);
    expect(reader.isFollowing).toBe(false);
    expect(step(2_000)).toEqual(["readStatus"]);
    reader.statusRead(lookAt(0, entry(0)), 2_000);
    expect(seen).toEqual(["loading", "loaded", "loading"]);
  });

  it("begins again, where it was reading all rows", () => {
    const { reader, seen, step } = reading(0, () => {});
    added(reader);
    expect(step(2_000)).toEqual(["readStatus"]);
    reader.statusRead(lookAt(0), 2_000);
    expect(seen).toEqual(["loading", "loading"]);
  });

  it.each(["unlinked", "asked"])("reads all rows later, where it was %s", (when) => {
    const { reader, seen, step } = reading(0, () => {});
    reader.statusRead(lookAt(0), 0);
    reader.read("0-0", [entry(1)], 0);
    reader.unlinked(1_000);
    if (when === "unlinked") added(reader);
    reader.linked(2_000);
    expect(step(2_000)).toEqual(["readStatus"]);
    if (when === "asked") added(reader);
    // The log still has what was read last, and yet that is not enough.
    reader.statusRead(lookAt(1, entry(1)), 2_000);
    expect(seen).toEqual(["loading", "loaded", "1-0", "loading"]);
  });
});
