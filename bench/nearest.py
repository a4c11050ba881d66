"""How often the bundled questions have something near for a real opening, and how near.

Reads the folder of outside test data (PSYLLM_TEST_DATA, default ../shared/data)
and prints, for the first words of 200 dialogues that nothing was tuned on, the
share that reaches several floors with Wilson intervals, the scores' deciles,
the concepts that matches share most, and the time taken. Whether a match is on
topic is for a person to judge: `--show N` prints N openings with their match.
`--tuning` takes other dialogues, to look at while the texts or the tables change.

    python bench/nearest.py [--show N] [--tuning]
"""

import argparse
import json
import lzma
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np

from psyllm.core.starter import starter_records
from psyllm.safety.report import wilson
from psyllm.serve.answer import asked_in_danger
from psyllm.text.nearest import FLOOR, Entry, Match, NearestTexts

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
# Every 270th dialogue from here on: 200 of them, held out. Tuning looks at every 100th, which meets none of these.
HELD_OUT, TUNING = (137, 270), (0, 100)
FLOORS = (0.30, 0.35, FLOOR, 0.45, 0.50, 0.55)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", type=int, default=0, help="openings to print with their match")
    parser.add_argument("--tuning", action="store_true", help="other dialogues, which may be looked at")
    said = parser.parse_args()
    questions = (record for record in starter_records() if record.kind == "question")
    records = {record.id: record for record in questions if not asked_in_danger(record)}
    began = time.perf_counter()
    texts = NearestTexts(
        [
            Entry(key, one.text, one.title, one.keywords, one.answers[0].text if one.answers else "")
            for key, one in records.items()
        ]
    )
    indexed_s = time.perf_counter() - began
    openings = read_openings(*(TUNING if said.tuning else HELD_OUT))
    began = time.perf_counter()
    found = [next(iter(texts.find(opening)), Match("", 0.0)) for opening in openings.values()]
    each_ms = (time.perf_counter() - began) / len(openings) * 1000
    print(f"{len(records)} bundled questions indexed in {indexed_s:.2f} s, {each_ms:.1f} ms a query")
    print_coverage([match.score for match in found])
    print_concepts([match for match in found if match.score >= FLOOR])
    step = max(1, len(openings) // said.show) if said.show else len(openings) + 1
    for (number, opening), match in list(zip(openings.items(), found, strict=True))[step - 1 :: step]:
        title = records[match.key].title if match.key else "-"
        print(f"\n{number}: {opening[:200]}\n  {match.score:.2f} {match.key} {title}")


def read_openings(first: int, every: int) -> dict[int, str]:
    openings = {}
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number % every == first:
                turns = json.loads(line)["dialog"]
                openings[number] = next(turn["content"] for turn in turns if turn["role"] == "client")
    return openings


def print_coverage(scores: list[float]) -> None:
    print(f"\n{len(scores)} openings; share with a match at the floor")
    for floor in FLOORS:
        reached = sum(score >= floor for score in scores)
        low, high = wilson(reached, len(scores))
        print(f"  {floor:.2f}  {reached / len(scores):6.1%}  [{low:.1%}, {high:.1%}]")
    deciles = np.percentile(scores, range(10, 100, 10))
    print("deciles  " + "  ".join(f"{decile:.2f}" for decile in deciles))


def print_concepts(matches: list[Match]) -> None:
    counts = Counter(match.concepts[0] if match.concepts else "(none)" for match in matches)
    print("\nweightiest shared concept of the matches at the floor")
    for name, count in counts.most_common(20):
        print(f"  {count:4d}  {name}")


if __name__ == "__main__":
    main()
