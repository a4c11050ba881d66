/** The whole page in its language: by address the visitor's page or the desk, which is loaded when needed. */
import { lazy, Suspense, useEffect } from "react";
import { useLanguage } from "../lib/language";
import { t } from "../lib/messages/t";
import { usePath } from "../lib/place";
import { VisitorPage } from "./VisitorPage";

const DeskPage = lazy(() => import("./DeskPage"));

export function App() {
  const path = usePath();
  // Every sentence is asked for while drawing: one new drawing from here puts all of them into the language.
  useLanguage();
  const atDesk = path === "/desk" || path.startsWith("/desk/");
  useEffect(() => {
    if (!atDesk) document.title = t("app.title"); // the desk counts waiting cases in its title
  });
  if (atDesk) {
    return (
      <Suspense fallback={<p role="status">{t("app.opening")}</p>}>
        <DeskPage />
      </Suspense>
    );
  }
  return <VisitorPage />;
}
