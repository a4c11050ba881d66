/** How the page is built: into the server's folder, nothing inline, the help lines in the page itself. */
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { firstLines, hoursOf, nameOf } from "./src/lib/helpLines.ts";
import type { Language } from "./src/lib/language.ts";
import { sentence } from "./src/lib/messages/t.ts";

/** Puts the title and the first help lines into the page, so that they show before and without any script. */
function bundledHelp(): Plugin {
  const help = `<main class="early">${early("zh", "zh-CN")}${early("en", "en")}</main>`;
  return {
    name: "bundled-help",
    transformIndexHtml: (html) =>
      html.replace("%TITLE%", sentence("zh", "app.title")).replace("%HELP%", help),
  };
}

/** Nobody knows yet which language the reader has: both stand there. */
function early(words: Language, tag: string): string {
  const calls = firstLines
    .map(
      (line) =>
        `<li><a href="tel:${line.tel}">${nameOf(line, words)} ${line.number}</a> ${hoursOf(line, words)}</li>`,
    )
    .join("");
  return `<div lang="${tag}"><p>${sentence(words, "app.opening")}</p><noscript><p>${sentence(words, "app.noscript")}</p></noscript><h1>${sentence(words, "help.title")}</h1><p>${sentence(words, "help.danger")}</p><ul>${calls}</ul></div>`;
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
