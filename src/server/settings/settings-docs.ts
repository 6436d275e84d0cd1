import { SETTINGS } from "./settings-table.ts";

/** A setting as `serve --help` shows it: plain text. */
export interface SettingHelp {
  readonly names: readonly string[];
  /** undefined: there is no default. */
  readonly default: string | undefined;
  readonly text: string;
}

/** Every setting for `serve --help`. */
export function settingsHelp(): SettingHelp[] {
  return Object.values(SETTINGS).map(({ env, defaultText, help }) => ({
    names: env,
    default: defaultText && withoutMarkup(defaultText),
    text: withoutMarkup(help),
  }));
}

/** The README's table of settings, in Markdown. A test holds that the README has it, word for word. */
export function settingsMarkdown(): string {
  const rows = Object.values(SETTINGS).map(({ env, defaultText, help }) => {
    const names = env.map((name) => `\`${name}\``).join(", ");
    return `| ${names} | ${defaultText ?? "–"} | ${help} |`;
  });
  return ["| variable | default | |", "|---|---|---|", ...rows].join("\n");
}

function withoutMarkup(markdown: string): string {
  return markdown.replaceAll("`", "");
}
