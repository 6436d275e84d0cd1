import { Connection } from "./connection.ts";
import type { GatewayNode } from "./gateway-node.ts";
import type { UpgradeAnswer, UpgradeRequest } from "./socket.ts";

/** Admits or refuses a request for a WebSocket, before the upgrade. */
export function answerUpgrade(node: GatewayNode, request: UpgradeRequest): UpgradeAnswer {
  const presence = node.presence(request.appId);
  if (presence === undefined) {
    node.telemetry.refused("unknown_app");
    return { ok: false, status: 404, message: "there is no such app" };
  }
  if (!presence.app.allowsOrigin(request.origin)) {
    node.telemetry.refused("origin", "the page's origin is not in the app's allowedOrigins");
    return { ok: false, status: 403, message: "pages of this origin may not connect to this app" };
  }
  const newcomer = request.boundsFirstMessage ? undefined : node.admitNewcomer(request.address);
  if (newcomer !== undefined && !newcomer.ok) return newcomer;
  const admission = node.admit(request.address);
  if (!admission.ok) {
    newcomer?.release();
    return admission;
  }
  return {
    ok: true,
    accept: (socket) => new Connection(node, presence, socket, admission, newcomer),
    abandon: () => {
      newcomer?.release();
      admission.release();
    },
  };
}
