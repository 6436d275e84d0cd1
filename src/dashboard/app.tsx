import { useEffect, useState } from "preact/hooks";
import { Dashboard } from "./dashboard.tsx";
import { type Credentials, readCredentials } from "./model/credentials.ts";
import { SignInForm } from "./parts/sign-in-form.tsx";
import { takeTokenFromAddress } from "./store/address.ts";

interface Entry {
  readonly credentials?: Credentials;
  /** Why the token that came with the address is not taken. */
  readonly problem?: string;
}

/** The sign-in form, or the dashboard of whom it let in. The token is kept here and nowhere else. */
export function App({ token }: { readonly token: string | undefined }) {
  const [entry, setEntry] = useState(() => enter(token));
  useEffect(() => {
    // A link with a token may be opened in the page that is already there.
    const onHashChange = () => {
      const another = takeTokenFromAddress();
      if (another !== undefined) setEntry(enter(another));
    };
    addEventListener("hashchange", onHashChange);
    return () => removeEventListener("hashchange", onHashChange);
  }, []);
  const { credentials, problem } = entry;
  if (credentials === undefined) {
    return <SignInForm problem={problem} onSignIn={(signedIn) => setEntry({ credentials: signedIn })} />;
  }
  return <Dashboard key={credentials.token} credentials={credentials} onSignOut={() => setEntry({})} />;
}

function enter(token: string | undefined): Entry {
  if (token === undefined) return {};
  const read = readCredentials(token);
  return read.ok ? { credentials: read.credentials } : { problem: read.problem };
}
