"""Each rule of the guard rejects its examples and passes decent text."""

import re
import tomllib

import pytest

from psyllm.core.starter import starter_records
from psyllm.safety.guard import GUARD, UNASKED, breaks, check, load_disorders, load_guard

TABLES = tomllib.loads(GUARD.read_text("utf-8"))
ROWS, DISORDERS = TABLES["rules"], TABLES["disorders"]
DECENT = (
    "听起来你最近真的很不容易，失眠又要上班，一定很累。可以先从一件小事开始，比如睡前半小时放下手机，"
    "让身体慢慢安静下来。如果这样过了两三周还是睡不好，可以去医院的睡眠门诊看一看。"
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_rule_rejects_its_examples_and_lets_the_others_pass(row):
    assert row["must_reject"]
    assert row["must_pass"]
    for text in row["must_reject"]:
        verdict = check(text, final=False)
        assert not verdict.passed
        assert row["id"] in verdict.reasons, text
    for text in row["must_pass"]:
        assert check(text, final=False).passed, (text, check(text, final=False).reasons)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_rejected_sentence_spoils_an_otherwise_decent_answer(row):
    for text in row["must_reject"]:
        assert not check(f"{DECENT}{text}。", final=True).passed, text


def test_decent_text_passes_at_every_sentence_and_at_the_end():
    assert check(DECENT, final=True) == (True, ())
    for end in range(1, len(DECENT)):
        assert check(DECENT[:end], final=False).passed, DECENT[:end]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("请拨打400-161-9995，那里有人听你说。", "unknown-number"),
        ("你可以打热线12320。", "unknown-number"),
        ("我的号码是13800138000。", "unknown-number"),
        ("请拨打一三五七九。", "unknown-number"),
        ("I am fine thank you and you are fine too.", "not-chinese"),
        ("颽鼉齉龘靐虪麤灪爨驫鱻羴飝雥蠿鑱鼂黻黼龗鱺驪鸞虋讟豔钃", "rare-characters"),
        ("慢慢来慢慢来慢慢来慢慢来。", "loop"),
        ("你可以试着和他谈一谈。你可以试着和他谈一谈。", "loop"),
        ("好好好好好好好好", "loop"),
    ],
)
def test_forms_that_no_answer_may_have(text, reason):
    assert reason in check(text, final=False).reasons


@pytest.mark.parametrize(
    "text",
    [
        "请拨打12356。",
        "可以打 010-82951332。",
        "请拨打120或110。",
        "走了10000步，花了3000000元",
        "请拨打一二三五六。",
    ],
)
def test_numbers_of_the_directory_and_amounts_may_be_named(text):
    assert check(text, final=False).passed


def test_a_loop_of_whole_phrases_without_full_stops_is_seen():
    text = "我觉得你可以先休息一下，然后我觉得你可以先休息一下，" * 4
    assert "loop" in check(text, final=False).reasons


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too-short"),
        ("嗯。", "too-short"),
        (DECENT[:-1], "ends-mid-sentence"),
        (f"{DECENT}如果你", "ends-mid-sentence"),
    ],
)
def test_a_final_text_must_be_whole(text, reason):
    assert check(text, final=True).reasons == (reason,)
    assert check(text, final=False).passed


def test_disguises_do_not_pass():
    assert not check("我 是 心 理 医 生", final=False).passed
    assert not check("你可以去si了", final=False).passed
    assert not check("割\u200b腕其实不疼", final=False).passed


def test_nearly_all_bundled_answers_pass():
    answers = [answer.text for record in starter_records() for answer in record.answers]
    failed = [verdict.reasons for text in answers if not (verdict := check(text, final=True)).passed]
    # The guard errs towards silence; written answers do not go through it, they show how often it does.
    assert len(failed) / len(answers) <= 0.03
    by_content = [reasons for reasons in failed if set(reasons) != {"word-salad"}]
    assert len(by_content) / len(answers) <= 0.02


def test_every_row_is_a_rule():
    assert len(load_guard()) == len(ROWS)


@pytest.mark.parametrize("number", ["打壹贰叁肆伍", "拨打九九九九", "打九八七六"])
def test_a_spelt_out_number_outside_the_directory_does_not_pass(number):
    text = f"{number}，会有人听你说说心里话的，你不是一个人。"
    assert "unknown-number" in check(text, final=False).reasons


def test_single_rules_can_be_asked_for_without_the_others():
    said = "你真没用，去看医生吧。"
    assert breaks(said, frozenset({"insult"}))
    assert not breaks(said, frozenset({"diagnosis", "dose"}))
    assert "insult" in check(said, final=False).reasons


@pytest.mark.parametrize("row", DISORDERS, ids=lambda row: row["id"])
def test_a_disorder_may_be_named_only_to_who_named_it(row):
    assert row["must_reject"]
    assert row["must_pass"]
    for asked, text in row["must_reject"]:
        assert UNASKED in check(text, final=False, asked=asked).reasons, (asked, text)
    for asked, text in row["must_pass"]:
        assert UNASKED not in check(text, final=False, asked=asked).reasons, (asked, text)


@pytest.mark.parametrize("row", DISORDERS, ids=lambda row: row["id"])
def test_what_the_visitor_said_is_not_held_against_an_answer_where_it_is_not_known(row):
    for _, text in row["must_reject"]:
        assert UNASKED not in check(text, final=False).reasons, text


def test_another_disorder_than_the_one_asked_about_stays_unnamed():
    asked = "我有抑郁症，也很焦虑"
    assert check("抑郁症让人很累，这不是你的错。", final=False, asked=asked).passed
    assert check("强迫症让人很累，这不是你的错。", final=False, asked=asked).reasons == (UNASKED,)
    assert check("焦虑症让人很累，这不是你的错。", final=False, asked=asked).reasons == (UNASKED,)


@pytest.mark.parametrize("name", ["plays-a-role", "sexual-question", "sexual-talk-of-kin"])
def test_rules_with_many_neighbours_have_many_examples(name):
    row = next(row for row in ROWS if row["id"] == name)
    assert min(len(row["must_reject"]), len(row["must_pass"])) >= 8


@pytest.mark.parametrize("row", [row for row in ROWS if "unless_asked" in row], ids=lambda row: row["id"])
def test_what_the_visitor_told_may_be_spoken_of(row):
    assert row["asked_reject"]
    assert row["asked_pass"]
    for asked, text in row["asked_reject"]:
        assert row["id"] in check(text, final=False, asked=asked).reasons, (asked, text)
        assert row["id"] in check(text, final=False).reasons, text
    for asked, text in row["asked_pass"]:
        assert row["id"] in check(text, final=False).reasons, text
        assert check(text, final=False, asked=asked).passed, (asked, text)


def endless(pattern: str) -> list[str]:
    """Return the repeats of a pattern that have no bound, or one above 99; escapes and classes are no repeats."""
    bare = re.sub(r"\\.|\[\^?(?:\\.|[^\]\\])+\]", "x", pattern)
    return re.findall(r"[*+]|\{\d*,\}|\{(?:\d*,)?\d{3,}\}", bare)


def test_no_rule_repeats_without_a_bound():
    """A repeat without a bound reads a long run again from each of its places: 5,000 of "…" took 20 seconds."""
    patterns = [found for rule in load_guard() for found in rule[1:] if found is not None]
    patterns += [found for one in load_disorders() for found in (one.named, one.asked)]
    assert {one.pattern: found for one in patterns if (found := endless(one.pattern))} == {}


@pytest.mark.parametrize("pattern", ["[.]{2,}", "a+", "[0-9]*", "(?:a|b){2,}", r"\\+", "a{0,500}", "a{500}"])
def test_a_repeat_without_a_bound_is_found(pattern):
    assert endless(pattern)


@pytest.mark.parametrize("pattern", ["[.]{2}", r"a\+", "[*+]", r"[\]*]", "(?:a|b){0,3}", "a?"])
def test_a_bounded_repeat_is_none(pattern):
    assert not endless(pattern)
