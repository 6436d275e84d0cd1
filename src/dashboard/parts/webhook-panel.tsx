import { wholeNumber } from "../model/format.ts";
import { webhookState } from "../model/webhook-state.ts";
import type { NodePoll } from "../store/node-poll.ts";
import { useTopic } from "../store/use-topic.ts";
import { Fact } from "./fact.tsx";

/** The webhooks of the app, as the node knows them. An app without webhooks has no panel. */
export function WebhookPanel({ poll }: { readonly poll: NodePoll }) {
  useTopic(poll.changed);
  const webhooks = poll.health?.stats.webhooks ?? [];
  if (webhooks.length === 0) return null;
  return (
    <section
      class={poll.problem === undefined ? "panel webhooks" : "panel webhooks stale"}
      aria-labelledby="webhooks-title"
    >
      <h2 id="webhooks-title">Webhooks</h2>
      {webhooks.map((webhook) => {
        const { text, isProblem } = webhookState(webhook);
        return (
          <dl class="facts" key={webhook.id}>
            <Fact isWide name={webhook.id} value={text} isProblem={isProblem} />
            <Fact name="Delivered" value={wholeNumber(webhook.deliveries)} />
            <Fact name="Failed" value={wholeNumber(webhook.failures)} />
          </dl>
        );
      })}
    </section>
  );
}
