import { useState } from "preact/hooks";
import type { PresenceFilter } from "../../client/types.ts";
import type { Credentials } from "../model/credentials.ts";
import { curlLine } from "../model/curl-line.ts";

interface Props {
  readonly credentials: Credentials;
  readonly filter: PresenceFilter;
}

/** The filter as a command. The token is copied only when asked for, and never shown. */
export function CurlPanel({ credentials, filter }: Props) {
  const { appId, token } = credentials;
  const [outcome, setOutcome] = useState("");
  const copy = async (text: string, said: string) => {
    setOutcome((await copyText(text)) ? said : "This browser does not let the page copy: select the line.");
  };
  const line = curlLine(location.origin, appId, filter);
  return (
    <section class="panel curl" aria-labelledby="curl-title">
      <h2 id="curl-title">The same by HTTP</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre class="curl-line" dir="ltr" tabIndex={0}>
        <code>{line}</code>
      </pre>
      <div class="actions">
        <button class="button" type="button" onClick={() => copy(line, "Copied.")}>
          Copy
        </button>
        <button
          class="button"
          type="button"
          onClick={() => copy(curlLine(location.origin, appId, filter, token), "Copied, the token with it.")}
        >
          Copy with token
        </button>
        <span class="muted" role="status">
          {outcome}
        </span>
      </div>
    </section>
  );
}

/** Browsers let pages copy only over https and on this machine. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
