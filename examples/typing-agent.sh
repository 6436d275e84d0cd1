#!/bin/sh
# An AI agent that shows "typing" while it works on its answer, with curl and nothing else.
#
#   GATEWAY_URL=http://127.0.0.1:8080 APP_ID=my-app APP_SECRET=... \
#       ./typing-agent.sh CONVERSATION COMMAND [ARGUMENT...]
#
# The command stands for the call of your model. Its output is the answer.
#
# There is no socket. The script writes a session that lives for ten seconds, and writes it again every two.
# If the script dies, even by `kill -9`, nobody writes, and the session ends by itself.
#
# The ids are written into a path and into JSON as they are: letters, digits, "-" and "_" are safe.
set -u
agent=${AGENT:-assistant}
conversation=$1
shift

# A key of its own for each answer: the agent may write several at the same time.
url="$GATEWAY_URL/v1/$APP_ID/users/$agent/sessions/answer-$$-$(date +%s)"

# The answer matters more than its indicator, so a failed request ends nothing.
send() {
  curl --silent --show-error --fail --max-time 5 --output /dev/null \
    --header "Authorization: Bearer $APP_SECRET" --header "Content-Type: application/json" \
    "$@" "$url" || true
}

# The command runs in the background and gets the standard input of the script.
exec 3<&0
"$@" <&3 &
command=$!

trap 'send --request DELETE' EXIT
trap 'exit 130' INT TERM
while kill -0 "$command" 2>/dev/null; do
  send --request PUT \
    --data "{\"selectedConversationId\": \"$conversation\", \"isTyping\": true, \"ttlMs\": 10000}"
  sleep 2
done
wait "$command"
