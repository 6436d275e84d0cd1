import type { Random } from "../support/random.ts";

/** JSON as a tree that can also represent invalid JSON. */
export type Tree = string | number | boolean | null | readonly Tree[] | Fields | Raw;

/** An object as a list, so that a key can occur twice and `__proto__` is an ordinary key. */
export class Fields {
  readonly pairs: readonly (readonly [string, Tree])[];

  constructor(pairs: Fields["pairs"]) {
    this.pairs = pairs;
  }
}

/** Text that is written unchanged. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function toTree(value: unknown): Tree {
  if (Array.isArray(value)) return value.map(toTree);
  if (typeof value !== "object" || value === null) return value as Tree;
  const pairs = Object.entries(value).filter(([, item]) => item !== undefined);
  return new Fields(pairs.map(([key, item]) => [key, toTree(item)]));
}

export function writeTree(tree: Tree): string {
  if (tree instanceof Raw) return tree.text;
  if (tree instanceof Fields) {
    return `{${tree.pairs.map(([key, item]) => `${JSON.stringify(key)}:${writeTree(item)}`).join(",")}}`;
  }
  if (Array.isArray(tree)) return `[${tree.map(writeTree).join(",")}]`;
  return JSON.stringify(tree);
}

/** Names and texts with a meaning for JavaScript, terminals, paths or careless code. */
export const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "__defineGetter__",
  "then",
  "toJSON",
  "length",
  "0",
  "-1",
  "4294967295",
  "null",
  "undefined",
  "\u0000",
  "a\r\nb",
  "\u001b[31m",
  "\u007f",
  "\u0085",
  "\u2028",
  "\u202e",
  "\u200b",
  "\ufeff",
  "\ud800",
  "\udc00",
  "a\ud83d",
  "👩‍💻",
  "é",
  "e\u0301",
  "../../etc/passwd",
  "%00",
  "%2f",
  "a/b",
  "*",
  "<img src=x onerror=alert(1)>",
  "x".repeat(64),
  "x".repeat(65),
  "x".repeat(255),
  "x".repeat(256),
  "👩".repeat(128),
  "x".repeat(513),
  "x".repeat(5_000),
];

const DEEP_LISTS = new Raw("[".repeat(500) + "]".repeat(500));
const DEEP_MAPS = new Raw(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`);
const ODD_VALUES: readonly Tree[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  1e21,
  2 ** 53,
  new Raw("-0"),
  new Raw("1e400"),
  new Raw("-1e400"),
  new Raw("1e-400"),
  new Raw("9007199254740993"),
  new Raw("0.1e1"),
  new Raw("NaN"),
  new Raw("undefined"),
  new Raw("01"),
  new Raw('"\\ud800"'),
  new Raw('"\\u0000"'),
  new Raw('"\\x41"'),
  new Raw(" "),
  new Raw(""),
  new Raw("1,1"),
  new Raw("1}"),
  DEEP_LISTS,
  DEEP_MAPS,
  [],
  [[]],
  [null],
  [""],
  new Fields([]),
  new Fields([["__proto__", new Fields([["polluted", true]])]]),
  new Fields([["toString", null]]),
  new Fields([["length", 1]]),
  new Fields([["length", new Fields([["toString", null]])]]),
  new Fields([
    [
      "length",
      new Fields([
        ["valueOf", 1],
        ["toString", 1],
      ]),
    ],
  ]),
];

/** Changes one place of a tree. `words` are keys and values with a meaning for the reader. */
export function mutateTree(random: Random, tree: Tree, words: readonly string[]): Tree {
  // Prefers deeper places.
  if (tree instanceof Fields && !random.oneIn(12)) return mutateFields(random, tree, words);
  if (Array.isArray(tree) && !random.oneIn(6)) return mutateList(random, tree, words);
  switch (random.below(8)) {
    case 0:
      return [tree];
    case 1:
      return new Fields([[pickText(random, words), tree]]);
    case 2:
      return pickText(random, words);
    case 3:
      return typeof tree === "string" ? mutateText(random, tree) : String(writeTree(tree)).slice(0, 1_000);
    case 4:
      return typeof tree === "number" ? tree * random.pick([-1, 1e3, 1e300, 0.1]) : random.below(5_000);
    default:
      return random.pick(ODD_VALUES);
  }
}

function pickText(random: Random, words: readonly string[]): string {
  return random.pick(random.oneIn(2) ? words : ODD_TEXTS);
}

function mutateFields(random: Random, { pairs }: Fields, words: readonly string[]): Tree {
  const at = random.below(Math.max(1, pairs.length));
  const pair = pairs[at];
  const put = (...replacement: Fields["pairs"]) => new Fields(pairs.toSpliced(at, 1, ...replacement));
  switch (pair === undefined ? 0 : random.below(10)) {
    case 0:
      return put(...(pair ? [pair] : []), [pickText(random, words), random.pick(ODD_VALUES)]);
    case 1:
      return put();
    case 2:
      return put([pickText(random, words), pair![1]]);
    case 3:
      // The last one of a repeated key counts.
      return put(pair!, [pair![0], random.pick(ODD_VALUES)]);
    case 4:
      return put([pair![0], random.pick(ODD_VALUES)], pair!);
    case 5:
      if (random.oneIn(100)) return put(pair!, ...manyPairs(random));
      return put([pair![0], random.pick(pairs)[1]]);
    default:
      return put([pair![0], mutateTree(random, pair![1], words)]);
  }
}

function manyPairs(random: Random): Fields["pairs"] {
  const count = random.pick([31, 32, 33, 100, 1_000]);
  return Array.from({ length: count }, (_, i) => [`key-${i}`, i % 7 === 0 ? null : "value"] as const);
}

function mutateList(random: Random, list: readonly Tree[], words: readonly string[]): Tree {
  const at = random.below(Math.max(1, list.length));
  const item = list[at] ?? "";
  switch (random.below(5)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return [...list, pickText(random, words)];
    case 2:
      // Many copies of small values. Megabytes would take time from other inputs.
      return typeof item === "string" && random.oneIn(100)
        ? Array<Tree>(random.pick([999, 1_000, 1_001, 5_000])).fill(item.slice(0, 20))
        : [item, item];
    default:
      return list.toSpliced(at, 1, mutateTree(random, item, words));
  }
}

const FRAGMENTS: readonly string[] = [
  "\ufeff",
  "\u0000",
  "\ud800",
  "\udfff",
  '"',
  "'",
  "\\",
  "\\u",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "-",
  "e9",
  "\n",
  "\t",
  "\u000b",
  "%",
  "%zz",
  "&",
  "=",
  ".",
  "..",
  "/",
  "//",
  "é",
  "\u2028",
  "__proto__",
  "[".repeat(64),
];

/** Changes one place of a text, which may become invalid. */
export function mutateText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + 1 + random.below(random.oneIn(3) ? 40 : 3));
  switch (random.below(7)) {
    case 0:
    case 1: {
      // A flipped bit.
      const code = (text.charCodeAt(at) || 0) ^ (1 << random.below(random.oneIn(8) ? 16 : 7));
      return text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
    }
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    case 4:
      return text.slice(0, at);
    default:
      return text.slice(0, at) + random.pick(FRAGMENTS) + text.slice(random.oneIn(2) ? at : end);
  }
}

/**
 * Returns a generator of texts close to valid ones. Most are JSON with an error in their structure, some are
 * also damaged as text. `textOdds`: one in this many is damaged.
 */
export function nearTo(
  good: readonly unknown[],
  words: readonly string[],
  textOdds = 4,
): (random: Random) => string {
  const trees = good.map(toTree);
  return (random) => {
    let tree = random.pick(trees);
    for (let n = random.below(4); n > 0; n--) tree = mutateTree(random, tree, words);
    let text = writeTree(tree);
    if (random.oneIn(textOdds)) for (let n = 1 + random.below(3); n > 0; n--) text = mutateText(random, text);
    return text;
  };
}
