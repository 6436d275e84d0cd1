#!/usr/bin/env python3
"""Keeps a copy of who is online in SQLite, right after each message. Python's standard library is enough.

    WEBHOOK_SECRET=whsec_... DATABASE=presence.db PORT=8081 ./webhook-copy.py

The app has the webhook  {"id": "copy", "url": "http://127.0.0.1:8081/", "secrets": ["whsec_..."]}.
The table `present` has a row for each user. It survives restarts, messages that come twice or not at all,
and a lost database: what does not fit is answered with {"resync": true}, and the gateway sends all of it.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
MAX_BODY_BYTES = 1 << 20
TOLERANCE_S = 300

db = sqlite3.connect(os.environ.get("DATABASE", "presence.db"), isolation_level=None)
db.executescript(
    """
    CREATE TABLE IF NOT EXISTS present (user TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS pages (user TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS position (name TEXT PRIMARY KEY, at TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
    """
)


def is_genuine(headers, body: bytes) -> bool:
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (sent.isascii() and sent.isdigit() and len(sent) < 12):
        return False
    if abs(time.time() - int(sent)) > TOLERANCE_S:
        return False
    signed = f"{message_id}.{sent}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any([hmac.compare_digest(expected.encode(), each.encode()) for each in given])


def at(name: str):
    row = db.execute("SELECT at FROM position WHERE name = ?", [name]).fetchone()
    return row and json.loads(row[0])


def put(table: str, users: dict) -> None:
    for user, value in users.items():
        if value is None:
            db.execute(f"DELETE FROM {table} WHERE user = ?", [user])
        else:
            db.execute(f"REPLACE INTO {table} VALUES (?, ?)", [user, json.dumps(value)])


def move(name: str, position: list) -> None:
    db.execute("REPLACE INTO position VALUES (?, ?)", [name, json.dumps(position)])


def take(kind: str, data: dict) -> bool:
    """Applies a message to the copy. False: it does not fit."""
    if kind == "presence.diff":
        if at("present") != [data["view"], data["from"]]:
            return False
        put("present", data["users"])
        move("present", [data["view"], data["version"]])
    elif kind == "presence.snapshot":
        # Pages are kept aside until the last one has come.
        here = [data["view"], data["version"]]
        if data["page"] == 1:
            db.execute("DELETE FROM pages")
        elif at("pages") != here + [data["page"] - 1]:
            return False
        put("pages", data["users"])
        move("pages", here + [data["page"]])
        if not data["more"]:
            db.execute("DELETE FROM present")
            db.execute("INSERT INTO present SELECT * FROM pages")
            move("present", here)
    return True


def take_once(message_id: str, message: dict) -> bool:
    """All of a message or nothing of it, even if this process dies within it."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("SELECT 1 FROM seen WHERE id = ?", [message_id]).fetchone():
            return True
        if not take(message["type"], message["data"]):
            return False
        # The sender repeats the last message only, and a late one is not much older.
        added = db.execute("INSERT INTO seen (id) VALUES (?)", [message_id]).lastrowid
        db.execute("DELETE FROM seen WHERE n <= ?", [added - 100])
        return True


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return self.answer(411)
        if int(length) > MAX_BODY_BYTES:
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        fits = take_once(self.headers["webhook-id"], json.loads(body))
        return self.answer(200, b"{}" if fits else b'{"resync": true}')

    def answer(self, status: int, body: bytes = b"{}"):
        # One connection at a time: one that is kept open would keep others out.
        self.close_connection = True
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8081"))), Receiver)
    print(f"receiving webhooks on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
