import fc from "fast-check";
import { expect, it } from "vitest";
import { TextIds } from "../../../src/core/sessions/id-list.ts";
import { STATUS_BIT, statusOfBit } from "../../../src/core/sessions/status.ts";
import { ABSENT, PRESENT, type Verdict } from "../../../src/server/gateway/check-users.ts";
import { checkAnswer } from "../../../src/server/http/check-answer.ts";
import { asciiIds } from "../../support/ascii-ids.ts";
import { runs } from "../../support/seed.ts";

const { invisible: _never, ...shown } = STATUS_BIT;
const VERDICTS: readonly Verdict[] = [PRESENT, ABSENT, ...Object.values(shown)];

/** The answer as it should be, in any order of its statuses. */
function expected(ids: readonly string[], verdicts: readonly Verdict[]) {
  const withStatus = ids.flatMap((id, i): [string, string][] =>
    verdicts[i] === PRESENT || verdicts[i] === ABSENT ? [] : [[id, statusOfBit(verdicts[i]!)]],
  );
  return {
    present: ids.filter((_, i) => verdicts[i] === PRESENT),
    absent: ids.filter((_, i) => verdicts[i] !== PRESENT),
    statuses: Object.fromEntries(withStatus),
  };
}

it("says the same of ids as strings and as bytes, in JSON", () => {
  const id = fc.stringMatching(/^[ !#-[\]-~]{1,12}$/);
  const asked = fc.array(fc.tuple(id, fc.constantFrom(...VERDICTS)), { maxLength: 30 });
  fc.assert(
    fc.property(asked, fc.boolean(), fc.nat({ max: 3 }), (asked, isDegraded, skipped) => {
      // Ids that are asked for twice have a place only once.
      const firsts = asked.filter(
        ([id], i) => i >= skipped && asked.findIndex(([other]) => other === id) === i,
      );
      const texts = asked.map(([id]) => id);
      const places = Int32Array.from({ length: texts.length }, (_, i) => texts.indexOf(firsts[i]?.[0] ?? ""));
      const verdicts = Uint8Array.from(firsts, ([, verdict]) => verdict);
      const users = { size: firsts.length, places, verdicts };
      const text = checkAnswer(new TextIds(texts), users, isDegraded);
      expect(JSON.parse(text as string)).toEqual({
        data: expected(
          firsts.map(([id]) => id),
          firsts.map(([, verdict]) => verdict),
        ),
        ...(isDegraded && { degraded: true }),
      });
      const bytes = checkAnswer(asciiIds(texts), users, isDegraded);
      expect(Buffer.from(bytes as Uint8Array).toString()).toBe(text);
    }),
    { numRuns: runs(300) },
  );
});

it("answers in JSON, whatever characters ids have", () => {
  const ids = ['"', "\\", 'a","b', "__proto__", "👩", "\u2028", ",", "</script>"];
  const verdicts = ids.map(() => STATUS_BIT.online);
  const users = {
    size: ids.length,
    places: Int32Array.from(ids.keys()),
    verdicts: Uint8Array.from(verdicts),
  };
  const { data } = JSON.parse(checkAnswer(new TextIds(ids), users, false) as string);
  expect(data.absent).toEqual(ids);
  expect(Object.entries(data.statuses).sort()).toEqual(ids.map((userId) => [userId, "online"]).sort());
});
