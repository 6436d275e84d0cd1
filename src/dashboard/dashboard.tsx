import { useEffect, useState } from "preact/hooks";
import type { Credentials } from "./model/credentials.ts";
import { FeedPanel } from "./parts/activity-panel.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { ChartStrip } from "./parts/chart-strip.tsx";
import { CurlPanel } from "./parts/curl-panel.tsx";
import { DetailsPanel } from "./parts/details-panel.tsx";
import { FilterBar } from "./parts/filter-bar.tsx";
import { NodePanel } from "./parts/node-panel.tsx";
import { PresencePanel } from "./parts/presence-panel.tsx";
import { TopBar } from "./parts/top-bar.tsx";
import { NodePoll } from "./store/node-poll.ts";
import { Watch } from "./store/presence-store.ts";
import { useView } from "./store/use-dashboard-state.ts";

interface Props {
  readonly credentials: Credentials;
  readonly onSignOut: () => void;
}

/** The page of someone who is signed in. */
export function Dashboard({ credentials, onSignOut }: Props) {
  const [view, changeView] = useView();
  const [watch] = useState(() => new Watch(credentials, view));
  const [poll] = useState(() => new NodePoll(credentials));
  const [selected, setSelected] = useState<string | undefined>();
  useEffect(
    () => () => {
      watch.close();
      poll.close();
    },
    [watch, poll],
  );
  useEffect(() => watch.show(view), [watch, view]);

  const showUser = (userId: string) => changeView({ filter: { ...view.filter, userIds: [userId] } });
  const showConversation = (id: string | null) =>
    changeView({ filter: { ...view.filter, selectedConversationId: id } });
  const deselect = () => setSelected(undefined);
  return (
    <div class="page">
      <TopBar appId={credentials.appId} watch={watch} onSignOut={onSignOut} />
      <FilterBar view={view} onChange={changeView} />
      <ChartStrip watch={watch} />
      <main class="main" aria-label="Who is online">
        <PresencePanel
          watch={watch}
          view={view}
          selected={selected}
          onChange={changeView}
          onSelect={setSelected}
          onUser={showUser}
          onConversation={showConversation}
        />
      </main>
      <aside class="side" aria-label="Details, feed and node">
        {selected !== undefined && (
          <DetailsPanel
            key={selected}
            watch={watch}
            userId={selected}
            onUser={showUser}
            onConversation={showConversation}
            onClose={deselect}
          />
        )}
        <FeedPanel watch={watch} onSelect={setSelected} />
        <NodePanel poll={poll} />
        <CurlPanel credentials={credentials} filter={view.filter} />
      </aside>
      <Announcer watch={watch} />
    </div>
  );
}
