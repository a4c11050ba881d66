"""After something was forgotten the card counts what is left, and nothing twice."""

import json

import pytest

from forgotten_story import balanced
from made_up import dialogues
from psyllm.clean.run import run as clean
from psyllm.cli.main import run as cli
from psyllm.core.records import Record, Turn, read_records, write_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, StageRun, current_run, writing
from psyllm.corpus.card_html import way
from psyllm.corpus.run import run as corpus

DANGER = "我真的不想活了，我每天都想自杀。"


def talk(number, danger=""):
    said = next(iter(dialogues(1, seed=500 + number)))["dialog"]
    texts = [said[0]["content"] + danger, *(turn["content"] for turn in said[1:])]
    turns = tuple(
        Turn(role="counsellor" if place % 2 else "visitor", text=text) for place, text in enumerate(texts)
    )
    return Record(
        id=f"talks:{number}", kind="dialogue", group=f"talks:{number}", source="talks", licence="CC0-1.0", turns=turns
    )  # fmt: skip


@pytest.mark.parametrize("policy", ["reanswer", "keep"])
def test_crises_levels_and_the_way_of_all_records_add_up_after_forgetting(tmp_path, policy):
    records = [talk(number, DANGER if number % 3 == 0 else "") for number in range(60)]
    with writing(StageRun(tmp_path, Stage.COLLECTED, "talks", "m", (), {})) as stage_run:
        write_records(records, stage_run.folder)
        stage_run.finish(counts={"records": len(records)})
    clean(CleanSettings(mask_pii=False), tmp_path)
    corpus(CorpusSettings(crisis_replies=policy), tmp_path)
    folder = current_run(tmp_path, Stage.CORPUS)
    before = json.loads((folder / "card.json").read_text("utf-8"))
    crises = [
        one for one in read_records(folder, prefix="train") if any("level:" in flag for flag in one.flags)
    ]
    going = {one.id: one for one in crises[:5]}
    assert len(going) == 5
    marks = [record.content_hash for record in records if record.id in going]
    assert (
        cli(["forget", "--data", str(tmp_path), *(word for mark in marks for word in ("--content", mark))])
        == 0
    )
    assert len(list(balanced(tmp_path))) == 3
    card = json.loads((folder / "card.json").read_text("utf-8"))
    outcome = "reanswered" if policy == "reanswer" else "ignored"
    assert card["crises"]["train"][outcome] == before["crises"]["train"][outcome] - 5 > 0
    assert {side: card["crises"][side] for side in ("dev", "test")} == {
        side: before["crises"][side] for side in ("dev", "test")
    }
    assert sum(card["cleaning"]["levels"].values()) == sum(before["cleaning"]["levels"].values()) - 5
    assert sum(bar.records for bar in way(card)) == 60
