/** Names and values beside each other. */
interface Props {
  facts: readonly (readonly [name: string, value: string])[];
}

export function FactRows({ facts }: Props) {
  if (facts.length === 0) return null;
  return (
    <dl className="run-list">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
