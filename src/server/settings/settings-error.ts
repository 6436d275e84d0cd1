/**
 * A setting is wrong. The message is one line: it names the setting, says how to mend it, and holds no
 * secret.
 */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
