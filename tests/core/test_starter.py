"""The bundled texts: shape, spans and what they must never say."""

import itertools
import json
import re
from collections import Counter

import pytest

from psyllm.core.starter import STARTER, starter_records

TOPICS = {"行为", "恋爱", "成长", "情绪", "人际", "家庭", "治疗", "职业", "婚姻"}
TYPES = {
    "Interpretation",
    "Direct Guidance",
    "Others",
    "Approval and Reassurance",
    "Self-disclosure",
    "Restatement",
    "Information",
}
NUMBERS = {"12356", "12355", "120", "110"}
FORBIDDEN = [
    "一定会好",
    "肯定会",
    "保证",
    "百分之",
    "完全治愈",
    "亲爱的",
    "宝贝",
    "抑郁症",
    "焦虑症",
    "双相",
    "强迫症",
    "精神分裂",
    "人格障碍",
    "舍曲林",
    "氟西汀",
    "毫克",
    "mg",
    "最有效",
    "毫无疑问",
    "加油",
    "研究表明",
    "！",
    "!",
]
CONTENT = json.loads(STARTER.read_text("utf-8"))
ANSWERS = [answer["answer_text"] for question in CONTENT["questions"] for answer in question["answers"]]
DIALOGUES = CONTENT["dialogues"]
COUNSELLOR = [
    turn["text"] for dialogue in DIALOGUES for turn in dialogue["turns"] if turn["role"] == "counsellor"
]
ARTICLES = [article["text"] for article in CONTENT["articles"]]


def han(text):
    return len(re.findall(r"[一-鿿]", text))


def test_there_are_90_questions_and_12_articles_over_the_nine_topics():
    assert len(CONTENT["questions"]) >= 90
    assert len(CONTENT["articles"]) >= 12
    topics = Counter(question["keywords"].split(",")[0] for question in CONTENT["questions"])
    assert set(topics) == TOPICS
    assert min(topics.values()) >= 10


def test_questions_have_the_shape_of_psyqa():
    ids = [question["questionID"] for question in CONTENT["questions"]]
    assert len(ids) == len(set(ids))
    for question in CONTENT["questions"]:
        assert {"question", "description", "keywords", "answers", "questionID"} <= set(question)
        assert 2 <= len(question["keywords"].split(",")) <= 4
        for answer in question["answers"]:
            assert answer["has_label"] == (answer["labels_sequence"] is not None)


def test_spans_are_contiguous_and_cover_the_answer():
    for question in CONTENT["questions"]:
        for answer in question["answers"]:
            spans = answer["labels_sequence"]
            assert spans[0]["start"] == 0
            assert spans[-1]["end"] == len(answer["answer_text"])
            assert all(a["end"] == b["start"] for a, b in itertools.pairwise(spans))
            assert {span["type"] for span in spans} <= TYPES


def test_no_two_answers_share_their_first_12_characters_or_a_run_of_30():
    assert len({answer[:12] for answer in ANSWERS}) == len(ANSWERS)
    owner = {}
    for number, answer in enumerate(ANSWERS):
        for start in range(len(answer) - 29):
            run = answer[start : start + 30]
            assert owner.setdefault(run, number) == number, run


@pytest.mark.parametrize("words", FORBIDDEN)
def test_no_text_says_what_must_not_be_said(words):
    assert [text[:20] for text in ANSWERS + ARTICLES + COUNSELLOR if words in text] == []


def test_lengths_are_readable():
    assert all(200 <= han(text) <= 600 for text in ANSWERS)
    assert all(500 <= han(text) <= 1500 for text in ARTICLES)


def test_no_number_but_the_directorys_stands_in_a_text():
    for text in ANSWERS + ARTICLES + COUNSELLOR:
        assert set(re.findall(r"\d{3,}", text)) <= NUMBERS


def test_nothing_claims_a_review_that_did_not_happen():
    for question in CONTENT["questions"]:
        for answer in question["answers"]:
            assert answer["written_for_this_project"] is True
            assert answer["reviewed_by"] == ""


def test_dialogues_alternate_and_end_with_the_counsellor():
    for dialogue in DIALOGUES:
        roles = [turn["role"] for turn in dialogue["turns"]]
        assert 6 <= len(roles) <= 16
        assert roles == ["visitor", "counsellor"] * (len(roles) // 2)
        assert dialogue["topic"] in TOPICS
        assert dialogue["reviewed_by"] == ""


def test_at_least_fifteen_dialogues_have_risk_and_their_counsellor_names_emergency_help():
    danger = [dialogue for dialogue in DIALOGUES if dialogue["level"] in {"risk", "urgent", "in_progress"}]
    assert len(danger) >= 15
    for dialogue in danger:
        words = "".join(turn["text"] for turn in dialogue["turns"] if turn["role"] == "counsellor")
        assert any(number in words for number in ("120", "110", "12356")), dialogue["turns"][0]["text"]


def test_no_two_counsellor_turns_begin_alike():
    long = [text[:12] for text in COUNSELLOR if len(text) > 20]
    assert len(set(long)) == len(long)


def test_records_carry_text_licence_and_permission_to_show():
    records = list(starter_records())
    assert Counter(record.kind for record in records) == {
        "question": len(CONTENT["questions"]),
        "dialogue": len(DIALOGUES),
        "document": len(ARTICLES),
    }
    assert len({record.id for record in records}) == len(records)
    assert all(record.may_show and record.licence == "CC-BY-4.0" for record in records)
