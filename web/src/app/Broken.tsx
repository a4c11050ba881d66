/** When the page itself fails, calm words and the numbers to call take its place. */
import { Component, type ReactNode } from "react";
import { HelpCard } from "../components/HelpCard";
import { t } from "../lib/messages/t";

interface Props {
  children: ReactNode;
}

export class Broken extends Component<Props, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <main className="early">
        <h1>{t("app.brokenTitle")}</h1>
        <p>{t("app.broken")}</p>
        <p>
          <a href="/">{t("app.reopen")}</a>
        </p>
        <HelpCard />
      </main>
    );
  }
}
