/** Cuts a text for showing: paragraphs, and sentences within them. */

const SENTENCE = /[^。！？!?…]+[。！？!?…]*[”’」』）)]*|[。！？!?…]+/gu;

/**
 * Return the paragraphs of a text, each as its sentences. A text that grows at
 * its end keeps its earlier pieces, so a screen reader hears only what is new.
 */
export function paragraphsOf(text: string): string[][] {
  return text
    .split(/\n+/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => line.match(SENTENCE) ?? [line]);
}
