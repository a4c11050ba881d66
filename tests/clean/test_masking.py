"""What masking must not do: hide danger from the flags, or lose a strategy span."""

import json
import lzma
import tomllib

import pytest

from psyllm.clean.steps import mark_level, mask_personal_data, visitor_level
from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.safety.levels import Level
from psyllm.safety.lexicon import LEXICON


def dialogue(*texts):
    roles = ("visitor", "counsellor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=turns)


def flagged(record):
    return max((level for level in Level if f"level:{level.label}" in record.flags), default=Level.NONE)


def is_raised_less(*texts):
    record = dialogue(*texts)
    return flagged(mark_level(mask_personal_data(record))) < flagged(mark_level(record))


def reads_less(text):
    record = dialogue(text)
    return visitor_level(mask_personal_data(record)) < visitor_level(record)


def examples():
    found = []
    for row in tomllib.loads(LEXICON.read_text("utf-8"))["rules"]:
        found += row.get("must_match", [])
    return found


@pytest.mark.parametrize("frame", ["{0}", "人民路12号3栋502室{0}", "{0}人民路12号3栋", "我叫王芳{0}", "同事张伟{0}", "{0}13800138000", "张伟说{0}，张伟哭了"])  # fmt: skip
def test_no_word_of_danger_in_the_lexicon_is_hidden(frame):
    said = examples()
    assert len(said) > 100
    assert [text for text in said if is_raised_less(frame.format(text))] == []


def test_masking_alone_hides_none_where_a_mark_or_a_blank_stands_between():
    frames = (
        "{0}，人民路12号3栋",
        "{0} 人民路12号3栋",
        "我叫王芳{0}",
        "同事张伟{0}",
        "{0}13800138000",
        "{0}，我叫张晓雯。",
    )
    assert [text for text in examples() for frame in frames if reads_less(frame.format(text))] == []


def test_real_danger_is_flagged_as_before(outside_data):
    rows = json.loads((outside_data / "crisis" / "psysuicide_valid.json").read_text("utf-8"))
    assert [row["idx"] for row in rows if reads_less(row["text"])] == []


def test_real_dialogues_are_flagged_as_before(outside_data):
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        some = [json.loads(line)["dialog"] for line, _ in zip(lines, range(1500), strict=False)]
    records = [dialogue(*(turn["content"] for turn in turns)) for turns in some]
    changed = [(record, mask_personal_data(record)) for record in records]
    assert all(visitor_level(new) >= visitor_level(old) for old, new in changed if new is not old)


def test_a_name_told_in_one_turn_is_masked_in_all_and_an_unchanged_record_is_the_same_object():
    record = mask_personal_data(dialogue("我叫张晓雯，睡不着。", "晓雯你好。", "张晓雯这个名字不好听。"))
    assert [turn.text for turn in record.turns] == [
        "我叫〔姓名〕，睡不着。",
        "〔姓名〕你好。",
        "〔姓名〕这个名字不好听。",
    ]
    plain = dialogue("高中的时候，何时才能好。", "慢慢来。")
    assert mask_personal_data(plain) is plain


def question(text, **labels):
    said = {"answers": (Answer(text="多久了？"),), "group": "a:1", "source": "a", "licence": "x", **labels}
    return Record(id="a:1", kind="question", title=text, **said)


def test_labels_that_point_at_a_person_are_taken_out():
    told = question("我睡不着。", topic="王小明的咨询", keywords=("失眠", "王小明", "13800138000"))
    cleaned = mask_personal_data(told)
    assert (cleaned.title, cleaned.topic, cleaned.keywords) == ("我睡不着。", "", ("失眠",))
    by_text = mask_personal_data(question("我叫王小明，睡不着。", topic="王小明的咨询", keywords=("情绪",)))
    assert (by_text.title, by_text.topic, by_text.keywords) == ("我叫〔姓名〕，睡不着。", "", ("情绪",))


def test_labels_of_no_person_stay_and_an_unchanged_record_is_the_same_object():
    record = question(
        "我和张力都睡不着。", topic="高考", keywords=("高考", "安全感", "康复", "方法", "人际关系")
    )
    assert mask_personal_data(record) is record


def test_spans_follow_masks_of_any_kind():
    text = "我叫王志远。住在云水路12号3栋。以后再说。"
    spans = (
        Span(start=0, end=6, type="A"),
        Span(start=6, end=17, type="B"),
        Span(start=17, end=22, type="C"),
    )
    answers = (Answer(text=text, spans=spans),)
    record = Record(
        id="a:1", kind="question", group="a:1", source="a", licence="x", title="问", answers=answers
    )
    (answer,) = mask_personal_data(record).answers
    assert [answer.text[span.start : span.end] for span in answer.spans] == [
        "我叫〔姓名〕。",
        "住在〔地址〕。",
        "以后再说。",
    ]
