"""Made-up Chinese records of any number, for tests that need bulk and not sense."""

import json
import random
from pathlib import Path

_SYLLABLES = (
    "我你他她们最近总是觉得心里难过不知道怎么办工作学习家庭朋友父母孩子睡眠压力焦虑紧绷孤独"
    "希望可以慢慢试着把事情说出来好吗也许休息一下散步写日记听音乐和信任的人聊聊今天明天以后"
)


def words(chance: random.Random, characters: int) -> str:
    """Return so many Chinese characters without sense."""
    return "".join(chance.choice(_SYLLABLES) for _ in range(characters))


def text(chance: random.Random, sentences: int = 3) -> str:
    """Return sentences of 12 to 30 characters."""
    return "".join(words(chance, chance.randint(11, 29)) + "。" for _ in range(sentences))


def dialogues(count: int, seed: int = 1, turns: int = 8) -> list[dict]:
    """Return dialogues in SmileChat's form."""
    chance = random.Random(seed)
    roles = ("client", "counselor")
    return [
        {
            "id": str(number),
            "dialog": [{"role": roles[turn % 2], "content": text(chance)} for turn in range(turns)],
        }
        for number in range(count)
    ]


def questions(count: int, seed: int = 1, answers: int = 2) -> list[dict]:
    """Return questions in PsyQA's form, without spans."""
    chance = random.Random(seed)
    return [
        {
            "question": text(chance, 1),
            "description": text(chance, 2),
            "keywords": "情绪,焦虑",
            "answers": [
                {"answer_text": text(chance, 6), "has_label": False, "labels_sequence": None}
                for _ in range(answers)
            ],
            "questionID": number,
        }
        for number in range(count)
    ]


def write_lines(values: list[dict], path: Path) -> Path:
    """Write values as JSON Lines."""
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), "utf-8")
    return path


def write_array(values: list[dict], path: Path, indent: int | None = 1) -> Path:
    """Write values as a JSON array."""
    path.write_text(json.dumps(values, ensure_ascii=False, indent=indent), "utf-8")
    return path
