/** How the page is built: into the server's folder, nothing inline, the help lines in the page itself. */
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { firstLines } from "./src/lib/helpLines.ts";
import { t } from "./src/lib/messages/t.ts";

/** Puts the title and the first help lines into the page, so that they show before and without any script. */
function bundledHelp(): Plugin {
  const calls = firstLines
    .map((line) => `<li><a href="tel:${line.tel}">${line.name} ${line.number}</a> ${line.hours}</li>`)
    .join("");
  const help = `<main class="early"><p>${t("app.opening")}</p><noscript><p>${t("app.noscript")}</p></noscript><h1>${t("help.title")}</h1><p>${t("help.danger")}</p><ul>${calls}</ul></main>`;
  return {
    name: "bundled-help",
    transformIndexHtml: (html) => html.replace("%TITLE%", t("app.title")).replace("%HELP%", help),
  };
}

export default defineConfig({
  plugins: [react(), bundledHelp()],
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  build: {
    outDir: "../src/psyllm/serve/static",
    emptyOutDir: true,
    // Phones a few years old are what many visitors hold.
    target: ["chrome87", "safari14", "firefox90"],
    // A data: address would need a hole in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: {
    environment: "happy-dom",
    environmentOptions: { happyDOM: { url: "http://127.0.0.1:8000/" } },
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
