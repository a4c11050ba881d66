/** Where a model comes from: its corpus, the chain of models before it, and what it may be used for. */
import type { LineageStep, TrainingDetail } from "../../api/types";
import { Link } from "../../components/Link";
import { m, named } from "../../lib/messages/runs";
import { runPath } from "./runPath";

export function Origin({ detail }: { detail: TrainingDetail }) {
  const { corpus, content_hash, tokenizer_hash } = detail;
  const prints: [string, string][] = [
    [m("origin.data"), corpus?.content_hash ?? ""],
    [m("origin.tokenizer"), tokenizer_hash],
    [m("origin.model"), content_hash],
  ];
  return (
    <section className="run-card" aria-labelledby="run-origin">
      <h2 id="run-origin">{m("origin")}</h2>
      <h3>{m("origin.chain")}</h3>
      <Chain steps={detail.lineage} own={detail.summary.name} />
      <h3>{m("origin.corpus")}</h3>
      {corpus === null ? (
        <p className="run-soft">{m("origin.corpusNone")}</p>
      ) : (
        <p>
          <code>{corpus.run}</code>{" "}
          <span className="run-soft">{m(corpus.here ? "origin.corpusHere" : "origin.corpusGone")}</span>
        </p>
      )}
      <dl className="run-prints">
        {prints.map(
          ([name, print]) =>
            print !== "" && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <code>{print}</code>
                </dd>
              </div>
            ),
        )}
      </dl>
      <Permit permit={detail.permit} />
    </section>
  );
}

function Chain({ steps, own }: { steps: LineageStep[]; own: string }) {
  return (
    <ol className="run-chain">
      {steps.map((step) => (
        <li key={`${step.kind} ${step.name}`}>
          <strong>{words(step)}</strong>{" "}
          {step.run !== "" && step.run !== own ? (
            <Link to={runPath(step.run)}>{step.name}</Link>
          ) : (
            step.name !== own && <code>{step.name}</code>
          )}
        </li>
      ))}
    </ol>
  );
}

function words(step: LineageStep): string {
  const kind = named("kind", step.kind);
  return kind === step.kind ? named("stage", step.kind) : kind;
}

function Permit({ permit }: { permit: TrainingDetail["permit"] }) {
  return (
    <>
      <h3>{m("permit")}</h3>
      {permit === null ? (
        <p className="run-soft">{m("permit.later")}</p>
      ) : (
        <>
          <p>{m(`permit.${permit.uses}`)}</p>
          {permit.share_alike && <p>{m("permit.shareAlike")}</p>}
          {permit.expires !== "" && <p>{m("permit.expires", { day: permit.expires })}</p>}
          {permit.sources.length > 0 && (
            <details>
              <summary>{m("permit.sources", { count: permit.sources.length })}</summary>
              <ul className="run-sources">
                {permit.sources.map((one) => (
                  <li key={`${one.source} ${one.licence}`}>
                    {m("permit.source", {
                      source: one.source,
                      licence: one.licence || m("permit.noLicence"),
                      uses: usesOf(one.uses),
                    })}
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
    </>
  );
}

function usesOf(uses: string): string {
  if (uses === "any" || uses === "non_commercial" || uses === "research") return m(`permit.${uses}`);
  return m("permit.unknown");
}
