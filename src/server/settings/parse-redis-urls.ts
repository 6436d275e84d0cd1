import { SettingsError } from "./settings-error.ts";

/** One URL, or several with commas between. @throws SettingsError. */
export function parseRedisUrls(text: string, env: string): readonly string[] {
  // A password may have commas too.
  const urls = text.split(/,(?=\s*rediss?:\/\/)/).map((each) => each.trim());
  if (urls.every(isRedisUrl)) return urls;
  // They may hold a password, so no part of them is repeated.
  throw new SettingsError(
    `${env} must be redis://[user:password@]host[:port][/database], or rediss:// for TLS, ` +
      "or several of them with commas between; a % in a password is written %25",
  );
}

function isRedisUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRedis = url !== undefined && /^rediss?:$/.test(url.protocol) && /^(\/\d{0,5})?$/.test(url.pathname);
  return isRedis && /^[^,]+$/.test(url.hostname) && isEncoded(url.username) && isEncoded(url.password);
}

/** The client of Redis decodes it, and would fail each time that it connects. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
