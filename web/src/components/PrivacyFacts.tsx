/** Who can see what a visitor writes, what is kept, how to delete it: the same words wherever they stand. */
import { t } from "../lib/messages/t";
import "./privacy.css";

export function PrivacyFacts() {
  return (
    <dl className="privacy">
      <div>
        <dt>{t("before.whoTitle")}</dt>
        <dd>{t("before.who")}</dd>
      </div>
      <div>
        <dt>{t("before.storedTitle")}</dt>
        <dd>{t("before.stored")}</dd>
      </div>
      <div>
        <dt>{t("before.deleteTitle")}</dt>
        <dd>{t("before.delete")}</dd>
      </div>
    </dl>
  );
}
