/** The card with the numbers to call; all of it lies in the page and needs no server. */
import { useId } from "react";
import { checked, firstLines, type HelpLine, helpLines, otherLines } from "../lib/helpLines";
import { type PlainKey, t } from "../lib/messages/t";
import "./helpcard.css";

const REGIONS: Record<string, PlainKey> = {
  CN: "region.CN",
  "CN-BJ": "region.CN-BJ",
  HK: "region.HK",
  MO: "region.MO",
  TW: "region.TW",
  US: "region.US",
};

interface Props {
  /** The card stands in a place that has shown its heading already. */
  untitled?: boolean;
}

export function HelpCard({ untitled = false }: Props) {
  const heading = useId();
  const Region = untitled ? "h2" : "h3";
  return (
    <section className="help-card" aria-labelledby={untitled ? undefined : heading}>
      {!untitled && (
        <h2 id={heading} className="help-title">
          {t("help.title")}
        </h2>
      )}
      <p className="help-danger">{t("help.danger")}</p>
      <ul className="help-lines">
        {firstLines.map((line) => (
          <Line key={line.number} line={line} />
        ))}
      </ul>
      <p>{t("help.safer")}</p>
      <p>{t("help.busy")}</p>
      <details className="help-more">
        <summary>{t("help.other")}</summary>
        {otherLines().map(([region, lines]) => (
          <div key={region}>
            <Region>{t(REGIONS[region] ?? "region.other")}</Region>
            <ul className="help-lines">
              {lines.map((line) => (
                <Line key={line.number} line={line} />
              ))}
            </ul>
          </div>
        ))}
      </details>
      <p className="help-checked">{checkedText()}</p>
    </section>
  );
}

function Line({ line }: { line: HelpLine }) {
  return (
    <li>
      <a className="help-line" href={`tel:${line.tel}`}>
        <span className="help-number">{line.number}</span> <span className="help-name">{line.name}</span>{" "}
        <span className="help-hours">{line.hours}</span>
      </a>
    </li>
  );
}

function checkedText(): string {
  const { date, called } = checked();
  if (called === 0) return t("help.checked", { date });
  return t("help.checkedSome", { date, all: helpLines.length, count: called });
}
