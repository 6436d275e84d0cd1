import type { PresenceValue } from "../../client/types.ts";
import { STATUS_TEXTS } from "../model/status.ts";

interface Props {
  readonly value: Pick<PresenceValue, "status" | "statusText" | "statusEmoji">;
}

/** The status of a user as others see it, with its emoji and text, in one line. */
export function UserStatus({ value: { status, statusText, statusEmoji } }: Props) {
  const name = STATUS_TEXTS[status];
  const isPlain = status === "online" && statusText === undefined && statusEmoji === undefined;
  return (
    <span
      class={`user-status ${status} ${isPlain ? "plain" : ""}`}
      title={[name, statusEmoji, statusText].filter(Boolean).join(" ")}
    >
      <span class="user-status-name">{name}</span>
      {statusEmoji !== undefined && (
        <>
          {" "}
          <bdi>{statusEmoji}</bdi>
        </>
      )}
      {statusText !== undefined && (
        <>
          {" "}
          <bdi class="user-status-text">{statusText}</bdi>
        </>
      )}
    </span>
  );
}
