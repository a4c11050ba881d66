import tomllib
from pathlib import Path

import pytest

from psyllm.clean.drop import Drop
from psyllm.clean.persona import is_persona, leave_out_personas
from psyllm.core.records import Answer, Record, Turn

STYLES = tomllib.loads((Path(__file__).parent / "persona_styles.toml").read_text("utf-8"))
KNOWN = [row for row in STYLES["style"] if row["known"]]
SERVANT = KNOWN[0]["dialogues"][0]
WARM = STYLES["counselling"][0]["turns"]


def dialogue(turns):
    said = [
        turn
        for text in turns
        for turn in (Turn(role="visitor", text="嗯。"), Turn(role="counsellor", text=text))
    ]
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=tuple(said))


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: row["name"])
def test_styles_that_the_table_knows_are_caught(row):
    assert any(is_persona(turns) for turns in row["dialogues"])


@pytest.mark.parametrize("row", STYLES["counselling"], ids=lambda row: row["turns"][0][:8])
def test_warm_counselling_stays(row):
    given = dialogue(row["turns"])
    assert leave_out_personas(given) is given


def test_a_persona_is_dropped_with_its_reason():
    assert leave_out_personas(dialogue(SERVANT)) == Drop("persona_chatter")


def test_a_visitor_may_speak_as_they_like():
    turns = (Turn(role="visitor", text="".join(SERVANT)), Turn(role="counsellor", text=WARM[0]))
    given = dialogue([]).model_copy(update={"turns": turns})
    assert leave_out_personas(given) is given


def test_a_persona_among_answers_goes_and_the_others_stay():
    answers = (Answer(text="".join(SERVANT)), Answer(text="".join(WARM)))
    given = Record(
        id="a:1", kind="question", group="a:1", source="a", licence="x", title="难过", answers=answers
    )
    assert leave_out_personas(given).answers == answers[1:]
    assert leave_out_personas(given.model_copy(update={"answers": answers[:1]})) == Drop("persona_chatter")
    documents = given.model_copy(update={"kind": "document", "answers": ()})
    assert leave_out_personas(documents) is documents


def test_one_smiling_face_is_no_persona():
    assert not is_persona([*WARM, "加油😊"])
