import type { Credentials } from "../model/credentials.ts";
import { useTheme } from "../store/use-theme.ts";
import { TokenForm } from "./token-form.tsx";

interface Props {
  readonly problem: string | undefined;
  readonly onSignIn: (credentials: Credentials) => void;
}

/** Asks for an app token. */
export function SignInForm({ problem, onSignIn }: Props) {
  useTheme();
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <h1>presence-gateway</h1>
        <p>See live who is online. The dashboard needs an app token and keeps it in this page only.</p>
        <TokenForm action="Sign in" problem={problem} onToken={onSignIn} />
        <p class="hint">A gateway that was started without apps prints a link that signs you in.</p>
      </div>
    </main>
  );
}
