/**
 * How many cases wait, told while somebody reviews.
 *
 * Whoever is at the desk counts as present for visitors, so a call must reach them here, too.
 */
import { useEffect, useState } from "react";
import { asFailure } from "../../api/failure";
import { listCases } from "../../api/staff";
import { r } from "../../lib/messages/review";
import { t } from "../../lib/messages/t";
import { usePoll } from "../../lib/poll";

const EVERY_MS = 10_000;

export function Waiting({ onSignedOut }: { onSignedOut: () => void }) {
  const [count, setCount] = useState(0);
  usePoll(async (signal) => {
    try {
      const cases = await listCases("open", signal);
      if (!signal.aborted) setCount(cases.length);
    } catch (thrown) {
      if (!signal.aborted && asFailure(thrown).kind === "login") onSignedOut();
    }
  }, EVERY_MS);
  useEffect(() => {
    document.title = count > 0 ? t("desk.titleCount", { count }) : t("desk.title");
  });
  return (
    <p role="status" className="review-waiting">
      {count > 0 ? r("nav.waiting", { count }) : ""}
    </p>
  );
}
