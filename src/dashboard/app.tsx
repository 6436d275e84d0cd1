import { useEffect, useState } from "preact/hooks";
import { Dashboard } from "./dashboard.tsx";
import { type Credentials, readCredentials } from "./model/credentials.ts";
import { SignInForm } from "./parts/sign-in-form.tsx";
import { takeTokenFromAddress } from "./store/address.ts";

interface Entry {
  readonly credentials?: Credentials;
  /** Why the token in the address is refused. */
  readonly problem?: string;
}

/**
 * The sign-in form, or the dashboard after sign-in. The token is kept in this state only, never in storage.
 */
export function App({ token }: { readonly token: string | undefined }) {
  const [entry, setEntry] = useState(() => enter(token));
  useEffect(() => {
    // A user may open a link with a token while the page is already open. That changes only the hash.
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
  const signIn = (signedIn: Credentials) => setEntry({ credentials: signedIn });
  // Another token of the same app continues the page.
  return (
    <Dashboard
      key={credentials.appId}
      credentials={credentials}
      onRenew={signIn}
      onSignOut={() => setEntry({})}
    />
  );
}

function enter(token: string | undefined): Entry {
  if (token === undefined) return {};
  const read = readCredentials(token);
  return read.ok ? { credentials: read.credentials } : { problem: read.problem };
}
