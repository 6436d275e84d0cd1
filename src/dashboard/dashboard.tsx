import { useEffect, useState } from "preact/hooks";
import type { Credentials } from "./model/credentials.ts";
import { ActivityPanel } from "./parts/activity-panel.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { ChartStrip } from "./parts/chart-strip.tsx";
import { CurlPanel } from "./parts/curl-panel.tsx";
import { DetailsPanel } from "./parts/details-panel.tsx";
import { FilterBar } from "./parts/filter-bar.tsx";
import { Fold } from "./parts/fold.tsx";
import { NodePanel } from "./parts/node-panel.tsx";
import { PresencePanel } from "./parts/presence-panel.tsx";
import { TokenNotice } from "./parts/token-notice.tsx";
import { TopBar } from "./parts/top-bar.tsx";
import { WebhookPanel } from "./parts/webhook-panel.tsx";
import { NodePoll } from "./store/node-poll.ts";
import { PresenceStore } from "./store/presence-store.ts";
import { useDashboardState } from "./store/use-dashboard-state.ts";
import type { AppFeatures } from "./store/user-facts.ts";

interface Props {
  readonly credentials: Credentials;
  /** Continues with another token of the same app. */
  readonly onRenew: (credentials: Credentials) => void;
  readonly onSignOut: () => void;
}

/** The page after sign-in. */
export function Dashboard({ credentials, onRenew, onSignOut }: Props) {
  const [state, changeState] = useDashboardState();
  const [store] = useState(() => new PresenceStore(credentials, state));
  const [poll] = useState(() => new NodePoll(credentials));
  const [app] = useState((): AppFeatures => ({ keepsLastSeen: true }));
  const [selected, setSelected] = useState<string | undefined>();
  useEffect(
    () => () => {
      store.close();
      poll.close();
    },
    [store, poll],
  );
  useEffect(() => store.show(state), [store, state]);
  useEffect(() => {
    store.renew(credentials);
    poll.renew(credentials);
  }, [store, poll, credentials]);

  const filterFields = Object.keys(state.filter).length;
  const showUser = (userId: string) => changeState({ filter: { ...state.filter, userIds: [userId] } });
  const showConversation = (id: string | null) =>
    changeState({ view: "users", filter: { ...state.filter, selectedConversationId: id } });
  const deselect = () => setSelected(undefined);
  return (
    <div class="page">
      <div class="top">
        <TopBar appId={credentials.appId} store={store} onSignOut={onSignOut} />
        <TokenNotice credentials={credentials} store={store} onRenew={onRenew} />
      </div>
      <Fold title={filterFields === 0 ? "Filter" : `Filter: ${filterFields} set`}>
        <FilterBar state={state} onChange={changeState} />
      </Fold>
      <Fold title="Charts">
        <ChartStrip store={store} />
      </Fold>
      <main class="main" aria-label="Who is online">
        <PresencePanel
          appId={credentials.appId}
          store={store}
          poll={poll}
          state={state}
          selected={selected}
          onChange={changeState}
          onSelect={setSelected}
          onConversation={showConversation}
        />
      </main>
      <aside class="side" aria-label="Details, activity and node">
        {selected !== undefined && (
          <DetailsPanel
            key={selected}
            app={app}
            credentials={credentials}
            store={store}
            userId={selected}
            onUser={showUser}
            onConversation={showConversation}
            onClose={deselect}
          />
        )}
        <ActivityPanel store={store} onSelect={setSelected} />
        <WebhookPanel poll={poll} />
        <NodePanel poll={poll} />
        <CurlPanel credentials={credentials} filter={state.filter} />
      </aside>
      <Announcer store={store} />
    </div>
  );
}
