import { useEffect, useRef, useState } from "preact/hooks";
import { type Credentials, readCredentials } from "../model/credentials.ts";
import { useTheme } from "../store/use-theme.ts";

interface Props {
  readonly problem: string | undefined;
  readonly onSignIn: (credentials: Credentials) => void;
}

/** Asks for an app token. */
export function SignInForm({ problem: initialProblem, onSignIn }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState(initialProblem);
  useTheme();
  useEffect(() => setProblem(initialProblem), [initialProblem]);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const read = readCredentials(field.current?.value ?? "");
    if (read.ok) return onSignIn(read.credentials);
    setProblem(read.problem);
    field.current?.focus();
  };
  return (
    <main class="sign-in">
      <form class="sign-in-card" autocomplete="off" onSubmit={submit}>
        <h1>presence-gateway</h1>
        <p>See live who is online. The dashboard needs an app token and keeps it in this page only.</p>
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
          Sign in
        </button>
        <p class="hint">
          A gateway started without apps prints a link that signs you in. Otherwise create a token on your
          server: a JWT with <code>"tokenType": "app"</code>, signed with a secret of the app.
        </p>
      </form>
    </main>
  );
}
