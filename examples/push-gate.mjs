// Whom does a new message wake up? Prints the users to whom a push notification should go, one per line.
//
//   GATEWAY_URL=http://127.0.0.1:8080 APP_ID=my-app APP_SECRET=... \
//       node push-gate.mjs CONVERSATION USER [USER...]
//
// Not those who look at the conversation now, and not those who asked to be left alone (`dnd`).
// It waits for the gateway for at most PATIENCE_MS, by default a second.

const { GATEWAY_URL, APP_ID, APP_SECRET, PATIENCE_MS = "1000" } = process.env;

/** One question for up to 10,000 users. */
async function whomToNotify(conversationId, userIds) {
  const response = await fetch(`${GATEWAY_URL}/v1/${encodeURIComponent(APP_ID)}/presences/check`, {
    method: "POST",
    headers: { authorization: `Bearer ${APP_SECRET}`, "content-type": "application/json" },
    // Present is a user with a session that matches this filter.
    body: JSON.stringify({ userIds, filter: { selectedConversationId: conversationId, hasFocus: true } }),
    signal: AbortSignal.timeout(Number(PATIENCE_MS)),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const { absent, statuses } = (await response.json()).data;
  // `statuses` has the absent users who are online somewhere else.
  return absent.filter((userId) => statuses[userId] !== "dnd");
}

const [conversationId, ...userIds] = process.argv.slice(2);
const toNotify = await whomToNotify(conversationId, userIds).catch((error) => {
  // One notification too many is better than a message that nobody sees.
  console.error(`presence: ${error.message}`);
  return userIds;
});
for (const userId of toNotify) console.log(userId);
