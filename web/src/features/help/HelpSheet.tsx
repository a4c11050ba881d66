/** The help card over the page, reachable without typing a word and without the server. */
import { HelpCard } from "../../components/HelpCard";
import { Sheet } from "../../components/Sheet";
import { t } from "../../lib/messages/t";

export function HelpSheet({ onClose }: { onClose: () => void }) {
  return (
    <Sheet title={t("help.button")} closeLabel={t("help.close")} onClose={onClose}>
      <HelpCard untitled />
    </Sheet>
  );
}
