import { useEffect, useRef, useState } from "preact/hooks";
import { type Credentials, readCredentials } from "../model/credentials.ts";
import { copyText } from "../store/copy-text.ts";

/** The command that makes a token. It reads the app and its secret from the environment. */
const COMMAND = "npx presence-gateway token app --expires 12h";

interface Props {
  readonly action: string;
  /** What is wrong before anybody has entered something. */
  readonly problem?: string | undefined;
  /** Accepts tokens of this app only. */
  readonly appId?: string;
  readonly onToken: (credentials: Credentials) => void;
}

/** A field for an app token, and how to get one. */
export function TokenForm({ action, problem: initialProblem, appId, onToken }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState(initialProblem);
  useEffect(() => setProblem(initialProblem), [initialProblem]);
  useEffect(() => field.current?.focus(), []);
  const refuse = (text: string) => {
    setProblem(text);
    field.current?.focus();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const read = readCredentials(field.current?.value ?? "");
    if (!read.ok) return refuse(read.problem);
    if (appId !== undefined && read.credentials.appId !== appId) {
      return refuse(`This token is for the app “${read.credentials.appId}”. Sign out to see another app.`);
    }
    onToken(read.credentials);
  };
  return (
    <form class="token-form" autocomplete="off" onSubmit={submit}>
      <label for="token">App token</label>
      <input
        id="token"
        ref={field}
        type="password"
        autocomplete="off"
        spellcheck={false}
        autocapitalize="off"
        aria-invalid={problem !== undefined}
        aria-describedby="token-problem"
      />
      <p id="token-problem" class="problem" role="alert">
        {problem}
      </p>
      <button class="button primary" type="submit">
        {action}
      </button>
      <TokenHelp />
    </form>
  );
}

function TokenHelp() {
  const [outcome, setOutcome] = useState("");
  const copy = async () => setOutcome((await copyText(COMMAND)) ? "Copied." : "Select the line instead.");
  return (
    <div class="hint">
      <p>
        The people who run the gateway can make a token. On a machine that has the secret of the app (in the
        variables <code>APP_ID</code> and <code>APP_SECRET</code>) this command prints one for 12 hours:
      </p>
      <p class="token-command">
        <code>{COMMAND}</code>
        <button class="button" type="button" onClick={copy}>
          Copy the command
        </button>
        <span role="status">{outcome}</span>
      </p>
    </div>
  );
}
