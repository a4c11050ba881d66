/**
 * Builds the page in memory and fails when what a visitor's browser must load
 * (the entry and all it imports at once, without what is loaded later) is more
 * than the limit, in bytes of gzip.
 */
import { gzipSync } from "node:zlib";
import { build } from "vite";

// The promise of the page: good on a slow phone.
const MOST_BYTES = 200_000;

const built = await build({ logLevel: "error", build: { write: false } });
const chunks = new Map(
  [built]
    .flat()
    .flatMap((one) => one.output)
    .filter((file) => file.type === "chunk")
    .map((chunk) => [chunk.fileName, chunk]),
);

const needed = new Set();
const need = (name) => {
  if (needed.has(name)) return;
  needed.add(name);
  for (const other of chunks.get(name)?.imports ?? []) need(other);
};
const entries = [...chunks.values()].filter((chunk) => chunk.isEntry);
if (entries.length === 0) throw new Error("the build has no entry; look at index.html");
for (const entry of entries) need(entry.fileName);

const sizeOf = (name) => gzipSync(chunks.get(name)?.code ?? "").length;
const total = [...needed].reduce((sum, name) => sum + sizeOf(name), 0);
const later = [...chunks.keys()].filter((name) => !needed.has(name));
console.log(`visitor: ${total} bytes of gzip JavaScript in ${needed.size} files, at most ${MOST_BYTES}`);
console.log(`loaded later: ${later.map((name) => `${name} ${sizeOf(name)}`).join(", ") || "nothing"}`);
if (later.length === 0 || total > MOST_BYTES) {
  console.error("too much JavaScript for the visitor's page, or the desk is no longer loaded by itself");
  process.exit(1);
}
