/** What stands over every page: its name, what it is and is not, and the trial notice. */
import { type ReactNode, useEffect, useRef } from "react";
import { t } from "../lib/messages/t";

interface Props {
  name: string;
  trial: boolean;
  /** The desk's people know that the program is one. */
  staff?: boolean;
  children: ReactNode;
}

export function Header({ name, trial, staff = false, children }: Props) {
  const header = useRef<HTMLElement>(null);

  // What lies below (sheets, places scrolled to) must know how high the header has become.
  useEffect(() => {
    const element = header.current;
    if (element === null) return;
    const measure = new ResizeObserver(() => {
      document.documentElement.style.setProperty("--header", `${element.offsetHeight}px`);
    });
    measure.observe(element);
    return () => measure.disconnect();
  }, []);

  return (
    <header ref={header} className="header">
      <div className="header-row">
        <p className="header-name">{name}</p>
        {children}
      </div>
      <p className="header-notice">
        {!staff && t("app.notice")}
        {trial && <strong>{t("app.trial")}</strong>}
        {trial && !staff && t("app.trialHelp")}
      </p>
    </header>
  );
}
