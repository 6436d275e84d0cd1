import type { ComponentChildren, TargetedSubmitEvent } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface Props {
  /** What the button says that opens the question. */
  readonly label: string;
  /** What the button says that does it. */
  readonly confirm: string;
  readonly isDangerous?: boolean;
  /** The question. */
  readonly text: string;
  /** Fields of the form, if it needs any. */
  readonly children?: ComponentChildren;
  /** Does it, with the fields of the form. Resolves with a sentence about the outcome. */
  readonly run: (fields: FormData) => Promise<string>;
  readonly onOutcome: (sentence: string) => void;
}

type Step = "start" | "question" | "busy";

/** A button that does something after a question. */
export function Question({ label, confirm, isDangerous, text, children, run, onOutcome }: Props) {
  const id = useId();
  const [step, setStep] = useState<Step>("start");
  const start = useRef<HTMLButtonElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const wasAsked = useRef(false);
  useEffect(() => {
    // The button that had the focus is gone.
    if (step === "question") (form.current?.querySelector("select") ?? cancel.current)?.focus();
    else if (step === "start" && wasAsked.current) start.current?.focus({ preventScroll: true });
    wasAsked.current = step !== "start";
  }, [step]);
  const ask = () => {
    onOutcome("");
    setStep("question");
  };
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (step === "busy") return;
    const fields = new FormData(event.currentTarget);
    setStep("busy");
    try {
      onOutcome(await run(fields));
    } catch (error) {
      onOutcome((error as Error).message);
    }
    setStep("start");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    setStep("start");
  };
  const danger = isDangerous ? "danger" : "";
  if (step === "start") {
    return (
      <button ref={start} class={`button ${danger}`} type="button" onClick={ask}>
        {label}
      </button>
    );
  }
  return (
    <div class={`question ${danger}`} role="alertdialog" aria-labelledby={id} onKeyDown={onKeyDown}>
      <form ref={form} autocomplete="off" onSubmit={submit}>
        <p id={id}>{text}</p>
        {children}
        <div class="actions">
          <button class={`button ${danger}`} type="submit" disabled={step === "busy"}>
            {confirm}
          </button>
          <button ref={cancel} class="button" type="button" onClick={() => setStep("start")}>
            Cancel
          </button>
        </div>
      </form>
    </div>
  );
}
