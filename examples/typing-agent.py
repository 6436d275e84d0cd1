#!/usr/bin/env python3
"""An AI agent that shows "typing" while it works on its answer. Python's standard library is enough.

    GATEWAY_URL=http://127.0.0.1:8080 APP_ID=my-app APP_SECRET=... \\
        ./typing-agent.py CONVERSATION COMMAND [ARGUMENT...]

The command stands for the call of your model. Its output is the answer.

There is no socket. The agent writes a session that lives for TTL_S seconds, and writes it again every
RENEW_S seconds. If the agent dies, even by `kill -9`, nobody writes, and the session ends by itself.
"""

import json
import os
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
import uuid

AGENT = os.environ.get("AGENT", "assistant")
TTL_S = 10
# Also shorter than TYPING_TIMEOUT_MS of the gateway (10 s by default), which ends typing that is not renewed.
RENEW_S = 3


class Typing:
    """Shows the agent as typing in a conversation, from the beginning of a `with` block to its end."""

    def __init__(self, conversation: str):
        self._body = {"selectedConversationId": conversation, "isTyping": True, "ttlMs": TTL_S * 1000}
        # A key of its own for each answer: the agent may write several at the same time.
        user, key = urllib.parse.quote(AGENT, safe=""), uuid.uuid4().hex
        app = urllib.parse.quote(os.environ["APP_ID"], safe="")
        self._url = f"{os.environ['GATEWAY_URL']}/v1/{app}/users/{user}/sessions/{key}"
        self._done = threading.Event()
        # A daemon ends with the program.
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        # Without waiting, a write that is still on its way could open the session again.
        self._thread.join()
        self._send("DELETE")

    def _renew(self):
        self._send("PUT", self._body)
        while not self._done.wait(RENEW_S):
            self._send("PUT", self._body)

    def _send(self, method: str, body=None):
        request = urllib.request.Request(
            self._url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {os.environ['APP_SECRET']}",
                "Content-Type": "application/json",
            },
        )
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError as error:
            # The answer matters more than its indicator. The next write comes soon.
            print(f"presence: {error}", file=sys.stderr)


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    _, conversation, *command = sys.argv
    with Typing(conversation):
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
