import { Random } from "../support/random.ts";
import { INJECTED_METHODS, type InjectedMethod } from "./injected-methods.ts";
import { FAULTS_MS, INJECTED } from "./times.ts";

// Loaded into a gateway before it starts (`node --import`). For a moment after each SIGUSR2, functions that
// encode, flush and deliver throw at random. The gateway itself contains nothing of this.

type Method = (this: unknown, ...args: unknown[]) => unknown;

const random = new Random(Number(process.env.CHAOS_FAULT_SEED ?? 1));
let until = 0;

async function breakAtRandom({ module, className, method, oneIn }: InjectedMethod): Promise<void> {
  // Relative to dist/dev/test/chaos, where this file runs.
  const url = new URL(`../../../${module}.js`, import.meta.url);
  const { prototype } = ((await import(url.href)) as Record<string, { prototype: Record<string, Method> }>)[
    className
  ]!;
  const original = prototype[method]!;
  prototype[method] = function (...args) {
    if (until > 0 && performance.now() < until && random.oneIn(oneIn)) throw new Error(INJECTED);
    return original.apply(this, args);
  };
}

for (const injected of INJECTED_METHODS) await breakAtRandom(injected);

process.on("SIGUSR2", () => {
  until = performance.now() + FAULTS_MS;
});
