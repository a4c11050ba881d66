/** Where the page starts: chooses by address between the visitor's page and the desk, loaded when needed. */
import { lazy, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { t } from "../lib/messages/t";
import { usePath } from "../lib/place";
import { Broken } from "./Broken";
import { VisitorPage } from "./VisitorPage";
import "./tokens.css";
import "./base.css";
import "./page.css";

const DeskPage = lazy(() => import("./DeskPage"));

function App() {
  const path = usePath();
  if (path === "/desk" || path.startsWith("/desk/")) {
    return (
      <Suspense fallback={<p role="status">{t("app.opening")}</p>}>
        <DeskPage />
      </Suspense>
    );
  }
  return <VisitorPage />;
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <Broken>
      <App />
    </Broken>,
  );
}
