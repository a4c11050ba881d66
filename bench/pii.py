"""How much personal data is found, and how often something else is taken for it.

Reads the folder of outside test data (PSYLLM_TEST_DATA, default ../shared/data).
Made-up values in the sentences of pii_templates.toml are planted into real
dialogues; recall (every character of the value masked) comes out by type with
Wilson intervals, for the half of the sentences that the rules were tuned on
and for the other half, beside the rules of an earlier commit. Then finds in
the untouched dialogues and articles are counted; `--show` prints them with
their neighbours, to be judged by hand. No text is written anywhere.

    python bench/pii.py [--show] [--half tuning]
"""

import argparse
import importlib.util
import json
import lzma
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import opencc

from pii_values import GIVEN, GIVEN_HELD_OUT, MAKERS, name
from psyllm.safety.report import wilson
from psyllm.text.pii import find_pii

HERE = Path(__file__).parent
DATA = Path(os.environ.get("PSYLLM_TEST_DATA", HERE.parent.parent / "shared" / "data"))
SEED = 20261125
EARLIER = "f1bc7b5"  # the last commit with five kinds in one file
FILLS = 40  # of each sentence


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print every find in the real texts")
    parser.add_argument(
        "--half", choices=("tuning", "both"), default="both", help="which sentences are planted"
    )
    parser.add_argument("--missed", action="store_true", help="print what the tuning half misses")
    asked = parser.parse_args()
    dialogues = read_dialogues()
    print_recall(dialogues, asked.half, show_missed=asked.missed)
    print_speed(dialogues)
    print_alarms("SmileChat", dialogues, show=asked.show)
    print_alarms("psywiki", read_articles(), show=asked.show)


def print_recall(dialogues: list[str], half: str, *, show_missed: bool) -> None:
    tables = tomllib.loads((HERE / "pii_templates.toml").read_text("utf-8"))
    earlier = earlier_rules()
    converter = opencc.OpenCC("s2t")
    halves = ("tuning", "held out") if half == "both" else ("tuning",)
    print(f"recall of planted data, {FILLS} fills of each sentence; earlier rules: {EARLIER}")
    print(f"{'':14}" + "".join(f"{one:>26}" for one in (*halves, "traditional", "earlier")))
    odd = {f"odd_{kind}": tables[kind] for kind in ("phone", "id_number")}
    for kind, row in (tables | odd).items():
        if kind == "negative":
            continue
        sentences = [line for line in row.splitlines() if kind not in odd or "{x}" in line]
        cells = []
        everything: list[tuple[str, int, int]] = []
        for number, _ in enumerate(halves):
            given = (GIVEN_HELD_OUT if number else GIVEN).split()
            planted = plant(kind, sentences[number::2], dialogues, given)
            cells.append(covered(planted, kind, find_pii, show_missed=show_missed and number == 0))
            everything += planted
        traditional = [(converter.convert(text), start, end) for text, start, end in everything[::4]]
        whole = [
            one for one, old in zip(traditional, everything[::4], strict=True) if len(one[0]) == len(old[0])
        ]
        cells.append(covered(whole, kind, find_pii))
        cells.append(covered(everything, kind, earlier.find_pii))
        print(f"{kind:14}" + "".join(f"{cell:>26}" for cell in cells))
    lines = tables["negative"].split("\n")[:-1]
    for number, half_name in enumerate(halves):
        planted = plant("negative", lines[number::2], dialogues)
        false = [(text, start, end) for text, start, end in planted if touched(text, start, end)]
        low, high = wilson(len(false), len(planted))
        kinds = Counter(without_digits(text[start:end]) for text, start, end in false)
        print(
            f"look-alikes masked, {half_name}: {len(false)} of {len(planted)} [{low:.4f}, {high:.4f}] {dict(kinds)}"
        )


def plant(
    kind: str, sentences: Sequence[str], dialogues: list[str], given: Sequence[str] = ()
) -> list[tuple[str, int, int]]:
    """Return texts with where the value (for look-alikes the whole sentence) stands."""
    rng = random.Random(f"{SEED} {kind} {sentences[0]}")
    planted = []
    for sentence in sentences:
        for _ in range(FILLS):
            text = rng.choice(dialogues)
            ends = [match.end() for match in re.finditer("[。！？\n]", text)] or [0]
            at = rng.choice(ends)
            slot = re.search(r"\{(\w+)\}", sentence)
            if kind == "negative" or slot is None:
                filled = re.sub(r"\{(\w+)\}", lambda match: MAKERS[match[1]](rng), sentence)
                start, end = 0, len(filled)
            else:
                value = (
                    name(rng, given) if kind == "name" else MAKERS[kind if slot[1] == "x" else slot[1]](rng)
                )
                filled = sentence.replace(slot[0], value)
                start, end = slot.start(), slot.start() + len(value)
            stop = "" if filled[-1] in "。！？" else rng.choice("。，\n")
            planted.append((text[:at] + filled + stop + text[at:], at + start, at + end))
    return planted


def covered(
    planted: Sequence[tuple[str, int, int]], kind: str, find: Callable[[str], Sequence[tuple[str, int, int]]], *,
    show_missed: bool = False,
) -> str:  # fmt: skip
    found = 0
    for text, start, end in planted:
        hidden = {place for _, first, last in find(text) for place in range(first, last)}
        letters = {place for place in range(start, end) if text[place].isalnum()}
        found += letters <= hidden
        if show_missed and not letters <= hidden:
            print(
                f"  missed {kind}: {text[max(0, start - 10) : start]}[{text[start:end]}]{text[end : end + 6]!r}"
            )
    low, high = wilson(found, len(planted))
    return f"{found / len(planted):.3f} [{low:.3f}, {high:.3f}]"


def touched(text: str, start: int, end: int) -> bool:
    return any(first < end and last > start for _, first, last in find_pii(text))


def without_digits(text: str) -> str:
    return re.sub("[0-9]+", "0", text)


def print_speed(dialogues: list[str]) -> None:
    sample = dialogues[:8000]
    find_pii(sample[0])
    start = time.process_time()
    for text in sample:
        find_pii(text)
    spent_s = time.process_time() - start
    print(f"\nspeed on one core: {sum(len(text.encode()) for text in sample) / 1e6 / spent_s:.1f} MB/s")


def print_alarms(name: str, texts: list[str], *, show: bool) -> None:
    kinds: Counter[str] = Counter()
    with_pattern = with_name = 0
    for text in texts:
        spans = find_pii(text)
        kinds.update(span.kind for span in spans)
        with_name += any(span.kind == "name" for span in spans)
        with_pattern += any(span.kind != "name" for span in spans)
        for kind, start, end in spans if show else ():
            around = text[max(0, start - 12) : start] + "[" + text[start:end] + "]" + text[end : end + 8]
            print(f"  {kind:10} {around!r}")
    each = 1000 / len(texts)
    print(f"{name}, {len(texts)} untouched texts: finds {dict(kinds.most_common())};", end=" ")
    print(
        f"texts with a patterned find {with_pattern * each:.2f}, with a name {with_name * each:.2f} per 1,000"
    )


def read_dialogues() -> list[str]:
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        return ["\n".join(turn["content"] for turn in json.loads(line)["dialog"]) for line in lines]


def read_articles() -> list[str]:
    with tarfile.open(DATA / "psywiki" / "docs.tar.xz") as archive:
        files = [archive.extractfile(one) for one in archive if one.name.endswith(".md")]
        return [file.read().decode("utf-8") for file in files if file is not None]


def earlier_rules() -> ModuleType:
    """Return the module `text/pii.py` as it was, loaded from the repository's history."""
    command = ["git", "show", f"{EARLIER}:src/psyllm/text/pii.py"]
    source = subprocess.run(command, check=True, capture_output=True, cwd=HERE).stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "earlier_pii.py"
        path.write_bytes(source)
        specification = importlib.util.spec_from_file_location("earlier_pii", path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules["earlier_pii"] = module
        specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
