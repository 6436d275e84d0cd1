interface FactProps {
  readonly name: string;
  readonly value: string;
  readonly isWide?: boolean;
  readonly isProblem?: boolean;
}

/** A name and a value in a list of facts. */
export function Fact({ name, value, isWide = false, isProblem = false }: FactProps) {
  return (
    <div class={isWide ? "fact wide" : "fact"}>
      <dt>{name}</dt>
      <dd class={isProblem ? "problem" : undefined} title={value}>
        {value}
      </dd>
    </div>
  );
}
