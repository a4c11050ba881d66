"""ROUGE-L beside rouge-chinese: equal values, then speed.

Run `python bench/metrics.py`. The same pairs of made-up Chinese texts go
through both in one process; the run stops when any value differs by more than
1e-6. Prints a table and a ratio. Times are the best of three.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import rjieba
from rouge_chinese import Rouge

from psyllm.evaluate.rouge import best_rouge_l, rouge_l

PAIRS = 40
SEED = 20261123
TOLERANCE = 1e-6
WORDS = [
    "我",
    "你",
    "最近",
    "总是",
    "觉得",
    "很",
    "难过",
    "睡不着",
    "工作",
    "压力",
    "可以",
    "试着",
    "和",
    "朋友",
    "说说",
    "每天",
    "散步",
    "慢慢",
    "来",
    "家人",
    "理解",
    "害怕",
    "考试",
    "失败",
    "情绪",
    "呼吸",
    "先",
    "不要",
    "责怪",
    "自己",
    "，",
    "。",
]


def main() -> None:
    """Compare and print."""
    pairs = made_up_pairs()
    peer = Rouge(metrics=["rouge-l"])
    rows = [
        row(
            "ROUGE-L, characters",
            "rouge-chinese",
            lambda: [rouge_l(answer, reference) for answer, reference in pairs],
            lambda: [peer_rouge(peer, " ".join(a), " ".join(b)) for a, b in pairs],
        ),
        row(
            "ROUGE-L, words, cutting included",
            "rouge-chinese",
            lambda: [best_rouge_l(answer, [reference], unit="words") for answer, reference in pairs],
            lambda: [peer_rouge(peer, " ".join(rjieba.cut(a)), " ".join(rjieba.cut(b))) for a, b in pairs],
        ),
    ]
    print(f"{PAIRS} pairs of 250 to 350 characters, one process, best of 3")
    print(f"{'metric':<34}{'peer':<15}{'ours ms':>9}{'peer ms':>10}{'ratio':>8}  greatest difference")
    for name, other, ours_ms, peer_ms, difference in rows:
        ratio = peer_ms / ours_ms
        print(f"{name:<34}{other:<15}{ours_ms:>9.2f}{peer_ms:>10.1f}{ratio:>8,.0f}  {difference:.1e}")


def row(
    name: str, other: str, ours: Callable[[], list[float]], peers: Callable[[], list[float]]
) -> tuple[str, str, float, float, float]:
    """Return name, peer, both times in ms and the greatest difference of their values."""
    found, ours_ms = timed(ours)
    theirs, peer_ms = timed(peers)
    difference = max(abs(one - other) for one, other in zip(found, theirs, strict=True))
    assert difference <= TOLERANCE, f"{name} differs from {other} by {difference}"
    return name, other, ours_ms, peer_ms, difference


def timed(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """Return the result and the best time of three in ms."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        found = work()
        times.append(1000 * (time.perf_counter() - started))
    return found, min(times)


def peer_rouge(peer: Rouge, answer: str, reference: str) -> float:
    """Return rouge-chinese's F1 of two texts with blanks between units."""
    return float(peer.get_scores(answer, reference)[0]["rouge-l"]["f"])


def made_up_pairs() -> list[tuple[str, str]]:
    """Return pairs of texts of common counselling words."""
    draw = random.Random(SEED)
    return [(made_up(draw), made_up(draw)) for _ in range(PAIRS)]


def made_up(draw: random.Random) -> str:
    """Return one text."""
    length = draw.randint(250, 350)
    text = ""
    while len(text) < length:
        text += draw.choice(WORDS)
    return text[:length]


if __name__ == "__main__":
    main()
