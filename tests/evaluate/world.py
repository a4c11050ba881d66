"""A small world to measure: a corpus in three splits, and a model run made from it."""

import json
from pathlib import Path

from psyllm.core.records import Answer, Record, Turn, write_records
from psyllm.core.stages import Manifest, Parent, Stage, StageRun, writing

TOPICS = ["睡眠", "考试", "父母", "朋友", "工作", "恋爱", "孤独", "焦虑"]


def question(number: int, *, split: str, answers: int = 1) -> Record:
    topic = TOPICS[number % len(TOPICS)]
    texts = [
        f"关于{topic}，可以先停下来慢慢呼吸，第{number}步是和信任的人说说，再看看{'明天' * (1 + one)}。"
        for one in range(answers)
    ]
    return Record(
        id=f"{split}:{number:02d}",
        kind="question",
        group=f"{split}:{number:02d}",
        source=split,
        licence="CC0-1.0",
        title=f"{topic}的问题总是困扰我",
        text=f"最近因为{topic}睡不着，已经第{number}天了，不知道怎么办。",
        answers=tuple(Answer(text=text) for text in texts),
    )


def dialogue(number: int, *, split: str) -> Record:
    topic = TOPICS[number % len(TOPICS)]
    turns = (
        Turn(role="visitor", text=f"你好，我想说说{topic}。"),
        Turn(role="counsellor", text="你好，请慢慢说。"),
        Turn(role="visitor", text=f"{topic}让我很累，第{number}次了。"),
        Turn(role="counsellor", text=f"听起来{topic}让你很辛苦，谢谢你愿意告诉我。"),
        Turn(role="visitor", text="谢谢你。"),
    )
    return Record(
        id=f"{split}:talk-{number:02d}",
        kind="dialogue",
        group=f"{split}:talk-{number:02d}",
        source=split,
        licence="CC0-1.0",
        turns=turns,
    )


def make_corpus(data: Path, name: str = "split-abc") -> Manifest:
    cleaned = Parent(stage="2_cleaned", run="clean-xyz", content_hash="c1ea")
    run = StageRun(data, Stage.CORPUS, name, "mark", (cleaned,), {})
    with writing(run):
        train = [question(number, split="train", answers=2) for number in range(20)]
        train += [dialogue(number, split="train") for number in range(4)]
        test = [question(number, split="test", answers=1 + number % 2) for number in range(8)]
        test += [dialogue(number, split="test") for number in range(2)]
        test.append(Record(id="test:d", kind="document", group="d", source="test", licence="x", text="文"))
        counts = {
            "train": write_records(train, run.folder, prefix="train"),
            "dev": write_records([question(30, split="dev")], run.folder, prefix="dev"),
            "test": write_records(test, run.folder, prefix="test"),
        }
        return run.finish(counts=counts)


def make_model(data: Path, model: Path, corpus: Parent) -> Manifest:
    run = StageRun(data, Stage.MODELS, "model-abc", "mark", (corpus,), {})
    with writing(run):
        (run.folder / "model").symlink_to(model)
        lines = [
            {"stage": stage, "step": step, "loss": 8 - step / 10}
            for stage in ("adapt", "answer")
            for step in range(0, 40, 5)
        ]
        lines += [
            {"stage": stage, "step": step, "dev_loss": 8.2 - step / 10}
            for stage in ("adapt", "answer")
            for step in (10, 20, 30)
        ]
        text = "\n".join(json.dumps(line) for line in lines)
        (run.folder / "metrics.jsonl").write_text(text + "\n", "utf-8")
        details = {"hardware": {"cpu": "a processor", "cores": 2}, "weights": 12345}
        return run.finish(counts={"steps": 80}, details=details)
