/** The card with the numbers to call; all of it lies in the page and needs no server. */
import { useId } from "react";
import {
  checked,
  firstLines,
  type HelpLine,
  helpLines,
  hoursOf,
  linesHere,
  nameOf,
  otherLines,
} from "../lib/helpLines";
import { language } from "../lib/language";
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
  const here = linesHere();
  return (
    <section className="help-card" aria-labelledby={untitled ? undefined : heading}>
      {!untitled && (
        <h2 id={heading} className="help-title">
          {t("help.title")}
        </h2>
      )}
      <p className="help-danger">{t("help.danger")}</p>
      {here && (
        <>
          <Region>{regionName(here.region)}</Region>
          <Lines lines={here.lines} />
          <Region>{regionName("CN")}</Region>
        </>
      )}
      <Lines lines={firstLines} />
      <p>{t("help.safer")}</p>
      <p>{t("help.busy")}</p>
      <details className="help-more">
        <summary>{t("help.other")}</summary>
        {otherLines()
          .filter(([region]) => region !== here?.region)
          .map(([region, lines]) => (
            <div key={region}>
              <Region>{regionName(region)}</Region>
              <Lines lines={lines} />
            </div>
          ))}
      </details>
      <p className="help-checked">{checkedText()}</p>
    </section>
  );
}

function Lines({ lines }: { lines: readonly HelpLine[] }) {
  const words = language();
  return (
    <ul className="help-lines">
      {lines.map((line) => (
        <li key={line.number}>
          <a className="help-line" href={`tel:${line.tel}`}>
            <span className="help-number">{line.number}</span>{" "}
            <span className="help-name">{nameOf(line, words)}</span>{" "}
            <span className="help-hours">{hoursOf(line, words)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function regionName(region: string): string {
  return t(REGIONS[region] ?? "region.other");
}

function checkedText(): string {
  const { date, called } = checked();
  if (called === 0) return t("help.checked", { date });
  return t("help.checkedSome", { date, all: helpLines.length, count: called });
}
