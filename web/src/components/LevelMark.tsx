/** The level of risk, in words; the colour only repeats them. */
import type { Level } from "../api/types";
import { t } from "../lib/messages/t";
import "./level.css";

export function LevelMark({ level }: { level: Level }) {
  return (
    <span className={`level level-${level}`}>
      <span className="unseen">
        {t("desk.level")}
        {t("punctuation.colon")}
      </span>
      {t(`level.${level}`)}
    </span>
  );
}
