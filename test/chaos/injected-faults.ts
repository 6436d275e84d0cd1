import { Random } from "../support/random.ts";
import { FAULTS_MS, INJECTED } from "./times.ts";

// Loaded into a gateway before it starts (`node --import`). For a moment after each SIGUSR2, functions that
// encode, flush and deliver throw at random. The gateway itself contains nothing of this.

type Method = (this: unknown, ...args: unknown[]) => unknown;

const random = new Random(Number(process.env.CHAOS_FAULT_SEED ?? 1));
let until = 0;

async function breakAtRandom(file: string, className: string, method: string, oneIn: number): Promise<void> {
  // Relative to dist/dev/test/chaos, where this file runs.
  const url = new URL(`../../../${file}`, import.meta.url);
  const { prototype } = ((await import(url.href)) as Record<string, { prototype: Record<string, Method> }>)[
    className
  ]!;
  const original = prototype[method]!;
  prototype[method] = function (...args) {
    if (until > 0 && performance.now() < until && random.oneIn(oneIn)) throw new Error(INJECTED);
    return original.apply(this, args);
  };
}

await breakAtRandom("core/sessions/user.js", "User", "member", 50);
await breakAtRandom("core/views/view.js", "View", "flush", 20);
await breakAtRandom("server/gateway/subscription.js", "Subscription", "deliver", 100);
await breakAtRandom("server/gateway/outbox.js", "Outbox", "offer", 100);
await breakAtRandom("server/gateway/outbox.js", "Outbox", "send", 500);

process.on("SIGUSR2", () => {
  until = performance.now() + FAULTS_MS;
});
