/** The visitor's page: puts the features together, which know nothing of each other. */
import { useState } from "react";
import { ChatScreen } from "../features/chat/ChatScreen";
import { HelpControls } from "../features/help/HelpControls";
import { HelpSheet } from "../features/help/HelpSheet";
import { Rating } from "../features/rating/Rating";
import { ReadingSheet } from "../features/reading/ReadingSheet";
import { RightsSheet } from "../features/rights/RightsSheet";
import { t } from "../lib/messages/t";
import { forgetConversation } from "../lib/tab";
import { Header } from "./Header";
import { useStatus } from "./useStatus";

type Over = "help" | "reading" | "rights" | null;

export function VisitorPage() {
  const { status, reachable, trial } = useStatus();
  const [over, setOver] = useState<Over>(null);
  // A new number gives a new chat screen: after erasing, nothing of the old one may stay.
  const [life, setLife] = useState(0);
  const close = (): void => setOver(null);
  const startAnew = (): void => {
    forgetConversation();
    setLife((now) => now + 1);
  };
  return (
    <div className="page">
      <a className="skip" href="#main">
        {t("app.skip")}
      </a>
      <Header name={t("app.name")} trial={trial}>
        <HelpControls open={over === "help"} onToggle={() => setOver(over === "help" ? null : "help")} />
      </Header>
      <main id="main" tabIndex={-1} className="main">
        {over === "help" && <HelpSheet onClose={close} />}
        {over === "reading" && <ReadingSheet onClose={close} />}
        {over === "rights" && <RightsSheet onClose={close} onErased={startAnew} />}
        <div className="under" inert={over !== null}>
          <ChatScreen
            key={life}
            status={status}
            reachable={reachable}
            onHelp={() => setOver("help")}
            onRead={() => setOver("reading")}
            onRights={() => setOver("rights")}
            renderRating={(message) => <Rating message={message} />}
          />
        </div>
      </main>
    </div>
  );
}
