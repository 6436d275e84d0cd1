type Register = (name: string, ...rest: unknown[]) => void;

/** `it`, `describe`, or one of their variants. */
interface TestApi {
  skip: unknown;
}

/**
 * Tests that are skipped if `whyNot` says why they cannot run here, or are not wanted. The reason is in their
 * names, and so in every report, and in the output of the run.
 */
export function unless<Api extends TestApi>(whyNot: string | undefined, api: Api): Api {
  if (whyNot === undefined) return api;
  const skip = api.skip as Register & { each: (cases: readonly unknown[]) => Register };
  const withReason =
    (register: Register) =>
    (name: string, ...rest: unknown[]) => {
      process.stdout.write(`not tested: ${name} (${whyNot})\n`);
      register(`${name} (not tested: ${whyNot})`, ...rest);
    };
  // Without cases there would be no test to say it.
  const each = (cases: readonly unknown[]) =>
    withReason(cases.length === 0 ? (name) => skip(name, () => {}) : skip.each(cases));
  return Object.assign(withReason(skip), { each }) as unknown as Api;
}

/** Why tests of Unix, such as those of file modes, cannot run here. */
export const NOT_ON_UNIX = process.platform === "win32" ? "Windows has none of this" : undefined;
