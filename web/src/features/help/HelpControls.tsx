/** The two buttons that are always in reach: numbers to call, and leaving at once. */
import { Button } from "../../components/Button";
import { t } from "../../lib/messages/t";
import { leaveAtOnce, useEscapeTwice } from "./leave";

interface Props {
  open: boolean;
  onToggle: () => void;
}

export function HelpControls({ open, onToggle }: Props) {
  useEscapeTwice(leaveAtOnce);
  return (
    <div className="header-actions">
      <Button tone="help" aria-expanded={open} onClick={onToggle}>
        {t("help.button")}
      </Button>
      <Button title={t("hide.label")} onClick={leaveAtOnce}>
        {t("hide.button")}
      </Button>
    </div>
  );
}
