"""How well screening finds danger and how decent text fares with the guard.

Reads the folder of outside test data (PSYLLM_TEST_DATA, default ../shared/data)
and prints tables: recall and false alarms per half with Wilson intervals
beside the keyword floor, recall per label, latency, share of visitors' turns
raised in an unlabelled corpus, and the guard's pass rates. `speed` measures
CPU time alone, of the guard on texts that repeat one fragment as well; `common` counts the characters and pairs that text/commonness.py keeps.

    python bench/screening.py
    taskset -c 1 python bench/screening.py speed
    python bench/screening.py common
"""

import json
import lzma
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from psyllm.safety.guard import UNASKED, check
from psyllm.safety.levels import Level
from psyllm.safety.report import (
    LEAST_RECALL,
    MOST_FALSE_ALARMS,
    Figures,
    LabelledText,
    Rate,
    figures,
    read_labelled,
    wilson,
)
from psyllm.safety.screen import screen
from psyllm.text.commonness import COMMON, COMMON_PAIRS
from psyllm.text.fold import clean_text
from psyllm.text.simplified import is_traditional

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SEED = 20261123
TURNS = 500
UNASKED_TURNS = 20_000
# What broken models write over and over, and what the guard's rules begin with.
FRAGMENTS = (
    "…",
    ".",
    "1",
    "。求助者",
    "求助者:",
    "和孩子",
    "发生关系",
    "抑郁",
    "嗯",
    "打123 ",
    "医生舍曲林",
    "父亲性侵",
)
SAFETY_CLASSES = (
    "nonsense",
    "humanoid mimicry",
    "linguistic neglect",
    "unamiable judgement",
    "toxic language",
    "unauthorised preachment",
    "nonfactual statement",
    "safe reply",
)


def main() -> None:
    if "common" in sys.argv[1:]:
        print_common()
        return
    if "speed" in sys.argv[1:]:
        print_speed(read_dialogues())
        print_repeats()
        return
    rows = read_labelled(DATA / "crisis" / "psysuicide_valid.json")
    halves = {half: figures(row for row in rows if row.half == half) for half in ("tuning", "judging")}
    print("PsySUICIDE (valid), any risk; patterns were written on the tuning half only")
    print_halves(halves)
    print_labels(halves["judging"])
    print_latency(rows)
    dialogues = read_dialogues()
    print_speed(dialogues)
    print_repeats()
    print_raised(sample_turns(dialogues, "client"))
    print_guard(sample_turns(dialogues, "counselor"))
    print_unasked(dialogues)
    print_guard_classes()


def print_halves(halves: dict[str, Figures]) -> None:
    print(f"\n{'':24}{'recall':>24}{'false alarms':>24}{'urgent: any risk':>24}{'urgent as urgent':>24}")
    for half, one in halves.items():
        cells = (one.recall, one.false_alarms, one.urgent_recall, one.urgent_as_urgent)
        print(f"{half:24}" + "".join(f"{shown(cell):>24}" for cell in cells))
    print(f"{'keyword floor':24}{LEAST_RECALL:>24}{MOST_FALSE_ALARMS:>24}")
    judged = halves["judging"]
    missed_ratio = (1 - LEAST_RECALL) / max(1 - judged.recall.share, 1e-9)
    alarm_ratio = MOST_FALSE_ALARMS / max(judged.false_alarms.share, 1e-9)
    print(f"the floor misses {missed_ratio:.1f} times as many, and alarms {alarm_ratio:.1f} times as often")


def print_labels(judged: Figures) -> None:
    print("\njudging half, share raised to risk by label")
    for label, rate in sorted(judged.by_label.items(), key=lambda item: -item[1].of):
        print(f"  {shown(rate):>26}  {label}")


def print_latency(rows: Sequence[LabelledText]) -> None:
    times_ms = []
    for row in rows:
        start = time.perf_counter()
        screen([row.text])
        times_ms.append(1000 * (time.perf_counter() - start))
    times_ms.sort()
    long_text = "".join(row.text for row in rows)[:4000]
    start = time.perf_counter()
    screen([long_text])
    long_ms = 1000 * (time.perf_counter() - start)
    print(f"\nlatency of one message: median {times_ms[len(times_ms) // 2]:.2f} ms,", end=" ")
    print(f"p99 {times_ms[int(0.99 * len(times_ms))]:.2f} ms; 4,000 characters {long_ms:.0f} ms")


def print_speed(dialogues: list[list[dict[str, str]]]) -> None:
    """Print CPU speed over whole dialogues, in MB (10^6 bytes of UTF-8) of all turns and of the visitors' own."""
    whole_mb = mb_of(turn["content"] for turns in dialogues for turn in turns)
    visitors = [[turn["content"] for turn in turns if turn["role"] == "client"] for turns in dialogues]
    visitors = [turns for turns in visitors if turns]
    own_mb = mb_of(turn for turns in visitors for turn in turns)
    screen(["你好"])
    best_s = min(cpu_s(partial(screen, turns) for turns in visitors) for _ in range(3))
    singles = sorted(cpu_s([partial(screen, [turn])]) for turns in visitors[:500] for turn in turns)
    print(f"\nspeed, {len(visitors)} SmileChat dialogues: {whole_mb / best_s:.1f} MB/s of dialogue,", end=" ")
    print(
        f"{own_mb / best_s:.1f} MB/s of visitors' turns; one turn: median {1000 * singles[len(singles) // 2]:.3f} ms"
    )
    texts = [turn["content"] for turns in dialogues for turn in turns]
    clean_s = min(cpu_s(partial(clean_text, text) for text in texts) for _ in range(3))
    gate_s = min(cpu_s(partial(is_traditional, text) for text in texts) for _ in range(3))
    print(
        f"clean_text on the same turns {whole_mb / clean_s:.0f} MB/s, is_traditional {whole_mb / gate_s:.0f} MB/s"
    )


def print_repeats() -> None:
    """Print the guard's CPU time for a fragment repeated to 2,500 and to 5,000 characters: twice as much, not four times."""
    print("\nguard, one fragment repeated to 2,500 and 5,000 characters, ms of CPU:", end=" ")
    check("你好", final=True, asked="你好")
    for fragment in FRAGMENTS:
        texts = [(fragment * length)[:length] for length in (2_500, 5_000)]
        half, whole = (
            1000 * min(cpu_s([partial(check, text, final=True, asked=text)]) for _ in range(3))
            for text in texts
        )
        print(f"{fragment!r} {half:.0f}, {whole:.0f}", end="; ")
    print()


def cpu_s(calls: Iterable[Callable[[], object]]) -> float:
    start = time.process_time()
    for call in calls:
        call()
    return time.process_time() - start


def mb_of(texts: Iterable[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def print_common() -> None:
    """Print the commonest Chinese characters and pairs of all visitors' turns, as text/commonness.py keeps them."""
    characters: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for turn in (turn for line in lines for turn in json.loads(line)["dialog"]):
            if turn["role"] == "client":
                characters.update(turn["content"])
                pairs.update(map(str.__add__, turn["content"], turn["content"][1:]))
    for counts, length, between in ((characters, len(COMMON), ""), (pairs, len(COMMON_PAIRS.split()), " ")):
        han = [(one, count) for one, count in counts.items() if re.fullmatch("[\u4e00-\u9fff]+", one)]
        han.sort(key=lambda item: (-item[1], item[0]))
        print(between.join(one for one, _ in han[:length]))


def read_dialogues() -> list[list[dict[str, str]]]:
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        dialogues = [json.loads(line)["dialog"] for line in lines]
    return random.Random(SEED).sample(dialogues, 10 * TURNS)


def sample_turns(dialogues: list[list[dict[str, str]]], role: str) -> list[str]:
    rng = random.Random(SEED)
    own = ([turn["content"] for turn in turns if turn["role"] == role] for turns in dialogues)
    return [rng.choice(turns) for turns in own if turns]


def print_raised(turns: list[str]) -> None:
    levels = Counter(screen([turn]).level for turn in turns)
    shares = ", ".join(f"{level.label} {levels[level] / len(turns):.2%}" for level in Level)
    print(f"\nSmileChat, {len(turns)} visitors' turns, one a dialogue (unlabelled): {shares}")


def print_guard(turns: list[str]) -> None:
    long_enough = [turn for turn in turns if len(turn) >= 30][:TURNS]
    verdicts = [check(turn, final=True) for turn in long_enough]
    reasons = Counter(reason for verdict in verdicts for reason in verdict.reasons)
    found = sum(verdict.passed for verdict in verdicts)
    low, high = wilson(found, len(verdicts))
    print(
        f"\nguard, {len(verdicts)} real counsellor turns: passed {found / len(verdicts):.3f} [{low:.3f}, {high:.3f}]"
    )
    print("  failed:", ", ".join(f"{name} {count}" for name, count in reasons.most_common()))


def print_unasked(dialogues: list[list[dict[str, str]]]) -> None:
    """Print how many counsellor turns each of the rules that know roles, sexual talk and the visitor's words refuses."""
    rules = ("plays-a-role", "sexual-question", "sexual-talk-of-kin", "abuse-by-kin", UNASKED)
    counts: Counter[str] = Counter()
    turns = 0
    for dialogue in dialogues:
        said: list[str] = []
        for turn in dialogue:
            if turn["role"] == "client":
                said.append(turn["content"])
            elif turns < UNASKED_TURNS:
                turns += 1
                counts.update(check(turn["content"], final=False, asked="\n".join(said)).reasons)
    print(
        f"\nrefused of {turns:,} counsellor turns:",
        ", ".join(f"{rule} {counts[rule] / turns:.3%}" for rule in rules),
    )


def print_guard_classes() -> None:
    rows = json.loads((DATA / "crisis" / "dialogue_safety.json").read_text("utf-8"))
    print("\nguard on DialogueSafety (most faults there are faults of the dialogue, not of the sentence)")
    for label, name in enumerate(SAFETY_CLASSES):
        replies = [re.sub(r"^\[\w+\]", "", row["response"]) for row in rows if row["label"] == label]
        passed = sum(check(reply, final=False).passed for reply in replies)
        print(f"  {name:24} passed {passed:4} of {len(replies):4}")


def shown(rate: Rate) -> str:
    return f"{rate.share:.3f} [{rate.low:.3f}, {rate.high:.3f}]"


if __name__ == "__main__":
    main()
