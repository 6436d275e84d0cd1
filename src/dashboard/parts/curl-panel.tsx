import { useState } from "preact/hooks";
import type { PresenceFilter } from "../../client/types.ts";
import type { Credentials } from "../model/credentials.ts";
import { curlLine } from "../model/curl-line.ts";
import { gatewayAddress } from "../store/address.ts";
import { copyText } from "../store/copy-text.ts";

interface Props {
  readonly credentials: Credentials;
  readonly filter: PresenceFilter;
}

/** The filter as a `curl` command. The page never shows the token and copies it only on request. */
export function CurlPanel({ credentials, filter }: Props) {
  const { appId, token } = credentials;
  const [outcome, setOutcome] = useState("");
  const copy = async (text: string, success: string) => {
    setOutcome(
      (await copyText(text)) ? success : "This browser does not allow copying. Select the line instead.",
    );
  };
  const line = curlLine(gatewayAddress(), appId, filter);
  return (
    <section class="panel curl" aria-labelledby="curl-title">
      <h2 id="curl-title">The same by HTTP</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it */}
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
          onClick={() => copy(curlLine(gatewayAddress(), appId, filter, token), "Copied with the token.")}
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
