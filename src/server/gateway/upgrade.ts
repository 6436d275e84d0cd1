import { Connection } from "./connection.ts";
import type { Hub } from "./hub.ts";
import type { UpgradeAnswer, UpgradeRequest } from "./socket.ts";

/** Decides on a request for a WebSocket, before the upgrade. */
export function answerUpgrade(hub: Hub, request: UpgradeRequest): UpgradeAnswer {
  const tenant = hub.tenant(request.appId);
  if (tenant === undefined) {
    hub.telemetry.refused("unknown_app");
    return { ok: false, status: 404, message: "there is no such app" };
  }
  if (!tenant.app.allowsOrigin(request.origin)) {
    hub.telemetry.refused("origin");
    return { ok: false, status: 403, message: "pages of this origin may not connect to this app" };
  }
  const newcomer = request.boundsFirstMessage ? undefined : hub.admitNewcomer(request.address);
  if (newcomer !== undefined && !newcomer.ok) return newcomer;
  const admission = hub.admit(request.address);
  if (!admission.ok) {
    newcomer?.release();
    return admission;
  }
  return {
    ok: true,
    accept: (socket) => new Connection(hub, tenant, socket, admission, newcomer),
    abandon: () => {
      newcomer?.release();
      admission.release();
    },
  };
}
