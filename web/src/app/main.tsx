/** Where the page starts: its language first, then the page. */
import { createRoot } from "react-dom/client";
import { startLanguage } from "../lib/language";
import { App } from "./App";
import { Broken } from "./Broken";
import "./tokens.css";
import "./base.css";
import "./page.css";

startLanguage();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <Broken>
      <App />
    </Broken>,
  );
}
