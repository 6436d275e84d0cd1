import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, textFrame } from "../load/light-socket.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { procMissing } from "./proc.ts";
import { changesOf, wholeState } from "./whole-state.ts";

const MODULE = "ngx_nchan_module.so";

/** It forwards the messages that members of a conversation publish. It keeps no state and checks no token. */
const dialect: Dialect = {
  coalesces: false,
  open: (port, conversation) => LightSocket.open(port, `/publish/${conversation}`),
  async enter(socket, token, conversation) {
    const after = wholeState(token, conversation);
    const frame = (change: Change) => textFrame(after(change));
    return {
      socket,
      frame,
      async request(change) {
        await socket.request(frame(change));
      },
    };
  },
  changesIn: (text) => changesOf(JSON.parse(text.toString())),
  watch: (port, _token, conversation) => LightSocket.open(port, `/subscribe/${conversation}`),
};

/** nginx with nchan, as Debian packages it. */
export const nchan: ServerKind = {
  name: "nginx-nchan",
  role: "peer",
  onlyInFullRuns: true,
  about: () =>
    `${nginxVersion()} with nchan, a channel per conversation; ` +
    "it forwards messages, keeps no state and checks no token",
  scenarios: ["fan-out", "burst"],
  dialect,
  async missing() {
    if (findNginx() === undefined || findNchan() === undefined)
      return "apt-get install nginx-light libnginx-mod-nchan";
    return procMissing();
  },
  start: () => ServerProcess.start(new URL("nchan-server.js", import.meta.url), "nginx-nchan"),
};

export function findNginx(): string | undefined {
  // Debian installs it in a folder that is only in root's PATH.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, "nginx")).find((path) => existsSync(path));
}

function nginxVersion(): string {
  return /nginx\/[\d.]+/.exec(spawnSync(findNginx()!, ["-v"], { encoding: "utf8" }).stderr)?.[0] ?? "nginx";
}

export function findNchan(): string | undefined {
  return ["/usr/lib/nginx/modules", "/usr/share/nginx/modules"]
    .map((folder) => join(folder, MODULE))
    .find((path) => existsSync(path));
}
