import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { INJECTED_METHODS } from "./injected-methods.ts";

it.each(INJECTED_METHODS.map(({ module, className, method }) => [className, method, module]))(
  "%s has the method %s (src/%s)",
  async (className, method, module) => {
    const path = fileURLToPath(new URL(`../../src/${module}.ts`, import.meta.url));
    const exports = await import(/* @vite-ignore */ path);
    expect(exports[className!].prototype[method!]).toBeTypeOf("function");
  },
);
