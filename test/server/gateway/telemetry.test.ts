import { expect, it } from "vitest";
import { ClientMessage } from "../../../src/protocol/messages.ts";
import { createCounters, REFUSALS } from "../../../src/server/gateway/telemetry.ts";

it("counts each type of message, each gateway for itself", () => {
  const [one, other] = [createCounters(), createCounters()];
  const types = ClientMessage.options.map((option) => option.shape.type.value);
  expect(Object.keys(one.messages).sort()).toEqual([...types].sort());
  one.messages.ping++;
  expect(other.messages.ping).toBe(0);
});

it("names each refusal once, as a label of a metric", () => {
  expect(new Set(REFUSALS).size).toBe(REFUSALS.length);
  for (const refusal of REFUSALS) expect(refusal).toMatch(/^[a-z_]+$/);
});
