import { useEffect, useRef, useState } from "preact/hooks";
import type { Credentials } from "../model/credentials.ts";
import { plural } from "../model/format.ts";
import { endSessions } from "../store/end-sessions.ts";

interface Props {
  readonly credentials: Credentials;
  readonly userId: string;
}

type Step = "start" | "question" | "busy";

/** Ends all sessions of a user, after a question. */
export function EndSessions({ credentials, userId }: Props) {
  const [step, setStep] = useState<Step>("start");
  const [outcome, setOutcome] = useState("");
  const start = useRef<HTMLButtonElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const wasAsked = useRef(false);
  useEffect(() => {
    // The button that had the focus is gone.
    if (step === "question") cancel.current?.focus();
    else if (step === "start" && wasAsked.current) start.current?.focus({ preventScroll: true });
    wasAsked.current = step !== "start";
  }, [step]);
  const ask = () => {
    setOutcome("");
    setStep("question");
  };
  const end = async () => {
    setStep("busy");
    try {
      setOutcome(`${plural(await endSessions(credentials, userId), "session has", "sessions have")} ended.`);
    } catch (error) {
      setOutcome((error as Error).message);
    }
    setStep("start");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    setStep("start");
  };
  return (
    <>
      {step === "start" ? (
        <button ref={start} class="button danger" type="button" onClick={ask}>
          End sessions…
        </button>
      ) : (
        <div class="question" role="alertdialog" aria-labelledby="end-question" onKeyDown={onKeyDown}>
          <p id="end-question">
            End all sessions of this user? That includes other devices, and sessions that the filter leaves
            out. The user's pages may open new ones.
          </p>
          <div class="actions">
            <button class="button danger" type="button" disabled={step === "busy"} onClick={end}>
              End them
            </button>
            <button ref={cancel} class="button" type="button" onClick={() => setStep("start")}>
              Cancel
            </button>
          </div>
        </div>
      )}
      <span class="muted" role="status">
        {outcome}
      </span>
    </>
  );
}
