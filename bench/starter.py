"""What the bundled corpus is made of, beside the corpora of others.

Prints counts by topic, age group and strategy, then for the bundled answers,
dialogues and articles and for each corpus in the folder of outside test data
(PSYLLM_TEST_DATA, default ../shared/data): lengths, how many texts begin alike,
how long sentences and clauses are, how many characters are rare, and how much
of the bundled text stands word for word in the others (it should be nothing).

    python bench/starter.py
"""

from __future__ import annotations

import json
import lzma
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from psyllm.core.starter import STARTER
from psyllm.text.han import han_count, han_only

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
AGES = ((13, 17), (18, 24), (25, 34), (35, 49), (50, 64), (65, 75))
BEGINNING = 6
# A run of so many Chinese characters is nobody's by chance.
RUN = 14
MOST_DIALOGUES = 10_000


def main() -> None:
    content = json.loads(STARTER.read_text("utf-8"))
    answers = [answer["answer_text"] for question in content["questions"] for answer in question["answers"]]
    print_counts(content)
    turns = list(counsellor_turns(content["dialogues"], "turns", "role", "text", "counsellor"))
    articles = [article["text"] for article in content["articles"]]
    print(
        f"\n{'counsellors side':34} {'texts':>6} {'han: p10':>8} {'median':>7} {'p90':>6} "
        f"{'alike %':>8} {'clause':>7} {'sentence':>9} {'rare %':>7}"
    )
    bundled = {"bundled answers": answers, "bundled dialogues, turns": turns, "bundled articles": articles}
    others = dict(outside())
    for name, texts in [*bundled.items(), *others.items()]:
        print(row(name, texts))
    print_copied([*answers, *turns, *articles], others)


def print_counts(content: dict[str, Any]) -> None:
    questions = content["questions"]
    topics = Counter(str(question["keywords"]).split(",")[0] for question in questions)
    ages = Counter(next(f"{a}-{b}" for a, b in AGES if a <= int(str(q["age"])) <= b) for q in questions)
    spans = [span["type"] for question in questions for span in span_list(question)]
    per_answer = Counter(kind for question in questions for kind in {s["type"] for s in span_list(question)})
    orders = Counter(tuple(span["type"] for span in span_list(question)) for question in questions)
    print(
        f"questions {len(questions)}, dialogues {len(content['dialogues'])}, articles {len(content['articles'])}"
    )
    print("topic     " + "  ".join(f"{name} {count}" for name, count in topics.most_common()))
    print("age       " + "  ".join(f"{name}: {ages[name]}" for name in sorted(ages)))
    print(
        "level     " + "  ".join(f"{n} {c}" for n, c in Counter(str(q["level"]) for q in questions).items())
    )
    print(
        "dialogues "
        + "  ".join(f"{n} {c}" for n, c in Counter(str(d["level"]) for d in content["dialogues"]).items())
    )
    print(
        "strategy  "
        + "  ".join(
            f"{name} {count} ({per_answer[name]} answers)" for name, count in Counter(spans).most_common()
        )
    )
    commonest = orders.most_common(1)[0][1]
    print(
        f"orders    {len(orders)} different, the commonest in {commonest / len(questions):.0%} of the answers"
    )
    ends = [str(answer["answer_text"])[-1] for q in questions for answer in q["answers"]]
    print(f"endings   {ends.count('？') / len(ends):.0%} with a question")


def span_list(question: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for answer in question["answers"] for span in answer["labels_sequence"]]


def row(name: str, texts: list[str]) -> str:
    lengths = [han_count(text) for text in texts]
    deciles = quantiles(lengths, n=10)
    begins = Counter(text[:BEGINNING] for text in texts)
    alike = sum(count for count in begins.values() if count > 1) / len(texts)
    clauses = [part for text in texts for part in re.split(r"[，。？！；：、,.?!;:\s“”\"]+", text) if part]
    sentences = [part for text in texts for part in re.split(r"[。？！?!\n]+", text) if part.strip()]
    characters = Counter(character for text in texts for character in han_only(text))
    rare = sum(count for character, count in characters.items() if not is_common(character))
    return (
        f"{name:34} {len(texts):6} {deciles[0]:8.0f} {deciles[4]:7.0f} {deciles[8]:6.0f} {alike:8.1%} "
        f"{mean(map(len, clauses)):7.1f} {mean(map(len, sentences)):9.1f} {rare / characters.total():7.2%}"
    )


def is_common(character: str) -> bool:
    """Whether a character is of level 1 of GB 2312, the 3,755 common ones."""
    try:
        return 0xB0 <= character.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def outside() -> Iterator[tuple[str, list[str]]]:
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        dialogues = [json.loads(line) for line, _ in zip(lines, range(MOST_DIALOGUES), strict=False)]
    yield (
        "SmileChat, turns (first 10,000)",
        list(counsellor_turns(dialogues, "dialog", "role", "content", "counselor")),
    )
    with tarfile.open(DATA / "cpsycoun" / "CPsyCounD.tar.xz") as packed:
        files = [
            packed.extractfile(member)
            for member in packed
            if member.isfile() and member.name.endswith(".txt")
        ]
        texts = [file.read().decode("utf-8", "replace") for file in files if file is not None]
    said = [part for text in texts for part in re.findall(r"(?m)^\s*心理咨询师[：:]\s*(.+)$", text)]
    yield "CPsyCounD, turns", said
    with lzma.open(DATA / "emollm" / "data.json.xz", "rt", encoding="utf-8") as file:
        rounds = [one for dialogue in json.load(file) for one in dialogue["conversation"]]
    yield "EmoLLM, turns", [one["output"] for one in rounds if one.get("output")]
    with tarfile.open(DATA / "psywiki" / "docs.tar.xz") as packed:
        pages = [
            packed.extractfile(member) for member in packed if member.isfile() and member.name.endswith(".md")
        ]
        yield (
            "psywiki, articles",
            [page.read().decode("utf-8", "replace") for page in pages if page is not None],
        )


def counsellor_turns(
    dialogues: Iterable[dict[str, list[dict[str, str]]]], turns: str, role: str, text: str, counsellor: str
) -> Iterator[str]:
    for dialogue in dialogues:
        yield from (turn[text] for turn in dialogue[turns] if turn[role] == counsellor and turn[text].strip())


def print_copied(bundled: list[str], others: dict[str, list[str]]) -> None:
    mine = {run for text in bundled for run in runs(text)}
    print(
        f"\nruns of {RUN} Chinese characters of the bundled texts ({len(mine):,}) that stand in another corpus"
    )
    for name, texts in others.items():
        found = {run for text in texts for run in runs(text)} & mine
        print(f"  {name:32} {len(found):4}  {' / '.join(sorted(found)[:3])}")


def runs(text: str) -> Iterator[str]:
    characters = han_only(text)
    return (characters[start : start + RUN] for start in range(len(characters) - RUN + 1))


if __name__ == "__main__":
    main()
