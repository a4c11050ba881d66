/** Rules of the house that no other tool holds: who imports whom, how long a file may be, where words stand. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { reviewLanguages } from "../src/lib/messages/review";
import { runsLanguages } from "../src/lib/messages/runs";
import { languages } from "../src/lib/messages/t";

const SRC = join(import.meta.dirname, "../src");
const FLOORS = ["lib", "api", "components", "features", "app"];
const MOST_LINES = 250;

const sources = new Map(
  readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(tsx?|css)$/.test(path))
    .map((path) => [path, readFileSync(join(SRC, path), "utf8")]),
);
const code = new Map([...sources].filter(([path]) => /(?<!\.d)\.tsx?$/.test(path)));

/** Return every import that climbs to a higher floor or reaches into another feature. */
function wrongImports(files: Map<string, string>): string[] {
  return [...files].flatMap(([path, text]) =>
    ts
      .preProcessFile(text, true, true)
      .importedFiles.map(({ fileName }) => fileName)
      .filter((target) => target.startsWith("."))
      .map((target) => normalize(join(dirname(path), target)))
      .filter((target) => isWrong(path, target))
      .map((target) => `${path} -> ${target}`),
  );
}

function isWrong(from: string, to: string): boolean {
  const [fromFloor = "", fromRoom] = from.split("/");
  const [toFloor = "", toRoom] = to.split("/");
  const climbs = FLOORS.indexOf(toFloor) > FLOORS.indexOf(fromFloor) || !FLOORS.includes(toFloor);
  return climbs || (fromFloor === "features" && toFloor === "features" && fromRoom !== toRoom);
}

test("imports go down: lib, api, components, features, app; features are strangers", () => {
  expect(code.size).toBeGreaterThan(40);
  expect(wrongImports(code)).toEqual([]);
});

test("the import rule sees a planted climb, a planted neighbour and a lazy import", () => {
  const planted = new Map([
    ["lib/time.ts", 'import { ask } from "../api/request";'],
    ["features/chat/Chat.tsx", 'import { Rating } from "../rating/Rating";'],
    ["components/Button.tsx", 'const page = () => import("../app/DeskPage");'],
    ["features/chat/fine.ts", 'import { t } from "../../lib/messages/t"; import "./state";'],
  ]);
  expect(wrongImports(planted)).toEqual([
    "lib/time.ts -> api/request",
    "features/chat/Chat.tsx -> features/rating/Rating",
    "components/Button.tsx -> app/DeskPage",
  ]);
});

test("features are flat folders", () => {
  const deep = [...sources.keys()].filter((path) => relative("features", path).split("/").length > 2);
  expect(deep.filter((path) => path.startsWith("features/"))).toEqual([]);
});

test("no file is longer than the house allows", () => {
  const tests = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => [path, readFileSync(join(import.meta.dirname, path), "utf8")] as const);
  const long = [...sources, ...tests].filter(
    ([path, text]) => !path.endsWith("schema.d.ts") && text.split("\n").length > MOST_LINES,
  );
  expect(long.map(([path]) => path)).toEqual([]);
});

test("every module says in its first lines what it is for", () => {
  expect([...code].filter(([, text]) => !text.startsWith("/**")).map(([path]) => path)).toEqual([]);
});

test("no sentence of the pages stands outside the message files", () => {
  const spoken = [...code].filter(
    ([path, text]) => !path.startsWith("lib/messages/") && /\p{Script=Han}/u.test(text),
  );
  expect(spoken.map(([path]) => path)).toEqual([]);
});

test("every message is used", () => {
  const speaking = [...code]
    .filter(([path]) => !/^lib\/messages\/\w+\.(zh|en)\.ts$/.test(path))
    .map(([, text]) => text);
  const all = [...speaking, readFileSync(join(SRC, "../vite.config.ts"), "utf8")].join("\n");
  const used = (key: string): boolean =>
    // A key put together from a name, as in t(`level.${level}`), counts by its beginning.
    all.includes(`"${key}"`) || all.includes(`\`${key.slice(0, key.lastIndexOf(".") + 1)}\${`);
  const keys = [
    ...Object.keys(languages.zh),
    ...Object.keys(reviewLanguages.zh),
    ...Object.keys(runsLanguages.zh),
  ];
  expect(keys.filter((key) => !used(key))).toEqual([]);
});

test("nothing that a strict content security policy forbids", () => {
  const html = readFileSync(join(SRC, "../index.html"), "utf8");
  expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son\w+=/);
  expect(
    [...code].filter(([, text]) => /style=\{|\beval\(|innerHTML/.test(text)).map(([path]) => path),
  ).toEqual([]);
});

test("the lock file names no registry", () => {
  const lock = readFileSync(join(SRC, "../package-lock.json"), "utf8");
  expect(lock).not.toMatch(/"resolved": "http/);
});
