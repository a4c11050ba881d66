/** The two buttons that are always in reach: numbers to call, and leaving at once. */
import { Button } from "../../components/Button";
import { t } from "../../lib/messages/t";
import { leaveAtOnce, useEscapeTwice } from "./leave";

interface Props {
  open: boolean;
  /** Whether the server can give the neutral page. */
  reachable: boolean;
  onToggle: () => void;
}

export function HelpControls({ open, reachable, onToggle }: Props) {
  const leave = (): void => leaveAtOnce(reachable);
  useEscapeTwice(leave);
  return (
    <div className="header-actions">
      <Button tone="help" aria-expanded={open} onClick={onToggle}>
        {t("help.button")}
      </Button>
      <Button title={t("hide.label")} onClick={leave}>
        {t("hide.button")}
      </Button>
    </div>
  );
}
