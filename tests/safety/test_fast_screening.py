"""The gated screening says what the slow one says: the same rules at the same places, on everything."""

import json
import lzma
import random
import re
import tomllib
from pathlib import Path

import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyllm.core.errors import MalformedInput
from psyllm.safety import screen as screen_module
from psyllm.safety.lexicon import LEXICON, Lexicon, load_lexicon
from psyllm.safety.report import read_labelled
from psyllm.safety.screen import screen, screen_all
from psyllm.text.fold import DISGUISES, screening_fold, stands_as_it_is
from psyllm.text.needs import Gate, Needs, needs_of
from psyllm.text.traditional import SOMETIMES_CHANGED
from slow_screening import slow_screen, slow_screening_fold

SEED = 20261125
PHRASES = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
TABLES = tomllib.loads(LEXICON.read_text("utf-8"))
HIDDEN = tomllib.loads(DISGUISES.read_text("utf-8"))
EXAMPLES = [
    text
    for row in (*TABLES["rules"], *TABLES["quiet"], *HIDDEN["disguises"])
    for text in (*row["must_match"], *row["must_not_match"])
]
SOURCES = "".join(
    row.get(key, "")
    for row in (*TABLES["rules"], *TABLES["quiet"], *HIDDEN["disguises"])
    for key in ("pattern", "unless")
) + "".join(TABLES["parts"].values())
HAN = sorted(set(re.findall("[\u4e00-\u9fff]", SOURCES)))
TO_TRADITIONAL = opencc.OpenCC("s2t")
TRADITIONAL = [TO_TRADITIONAL.convert(character) for character in HAN]
WORDS = sorted(set(re.findall("[\u4e00-\u9fff]{2,4}|[a-z]{2,8}", SOURCES))) + HIDDEN["split_words"]["words"]
ODD = [
    *" \u3000\u00a0\t\n\r.*_-/|·•・~^+=#@…,，、。！!？?：:；;（）()【】“”—",
    "\u200b",
    "\u0336",
    "\ufe0f",
    "\u2028",
    "©",
    "\u00a8",
]
LETTERS = [
    *"asdzijxchuowltnm",
    *"ＺｓＡ１４Ⓩ①½㈠",
    *"14508",
    "zì",
    "shā",
    "👍",
    "👨\u200d👩",
    "么",
    "坏",
    "秘",
    "打坏",
    "瞭解",
]
PIECES = st.sampled_from(WORDS) | st.sampled_from(HAN) | st.sampled_from(ODD) | st.sampled_from(LETTERS)
RARE = st.sampled_from(TRADITIONAL) | st.characters(exclude_categories=("Cs",))
TEXTS = st.lists(PIECES | st.sampled_from(HAN) | RARE, max_size=16).map("".join)
EDITED = st.tuples(
    st.sampled_from(PHRASES["danger"] + EXAMPLES), st.integers(0, 30), PIECES, st.booleans()
).map(lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + drawn[3] :])


def assert_equal(turns):
    assert screen(turns) == slow_screen(turns)


def test_every_phrase_and_example_reads_the_same_also_in_traditional_characters():
    to_traditional = TO_TRADITIONAL
    texts = (*PHRASES["danger"], *PHRASES["everyday"], *PHRASES["news"], *EXAMPLES)
    for number, text in enumerate(texts):
        other_ways = (to_traditional.convert(text), " ".join(text), text[:5] + "\n" + text[:3])
        for written in (text, other_ways[number % 3]):
            assert_equal([written])


@pytest.mark.outside_data
def test_labelled_and_real_messages_read_the_same_also_in_traditional_characters(outside_data):
    to_traditional = TO_TRADITIONAL
    texts = [row.text for row in read_labelled(outside_data / "crisis" / "psysuicide_valid.json")]
    dialogues = real_dialogues(outside_data, 60)
    for number, text in enumerate(texts):
        assert_equal([to_traditional.convert(text) if number % 2 else text])
    for turns in dialogues:
        assert_equal(turns)
        assert_equal([to_traditional.convert(turn) for turn in turns])


def real_dialogues(outside_data, count):
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(next(lines)) for _ in range(20 * count)]
    chosen = random.Random(SEED).sample(rows, count)
    return [[turn["content"] for turn in row["dialog"] if turn["role"] == "client"] for row in chosen]


@settings(max_examples=80)
@given(TEXTS | EDITED)
def test_made_up_texts_read_the_same(text):
    assert_equal([text])


@settings(max_examples=40)
@given(st.lists(EDITED | st.lists(PIECES, max_size=3).map("".join), min_size=1, max_size=6))
def test_made_up_dialogues_read_the_same(turns):
    assert_equal(turns)


@settings(max_examples=80)
@given(TEXTS | EDITED, st.data())
def test_the_fold_reads_the_same_and_its_places_lead_back_to_the_same(text, data):
    fast, slow = screening_fold(text), slow_screening_fold(text)
    assert fast.text == slow.text
    if slow.text:
        start = data.draw(st.integers(0, len(slow.text) - 1))
        end = data.draw(st.integers(start + 1, len(slow.text)))
        assert fast.offsets.old_span(start, end) == slow.offsets.old_span(start, end)


@settings(max_examples=80)
@given(TEXTS | EDITED)
def test_in_a_text_that_stands_as_it_is_only_the_known_characters_change(text):
    if stands_as_it_is(text):
        steady = re.compile(
            f"[^{''.join(SOMETIMES_CHANGED)}{''.join(SOMETIMES_CHANGED.values())}\u4e00-\u9fff]+"
        )
        read = slow_screening_fold(text).text
        back = str.maketrans({new: old for old, new in SOMETIMES_CHANGED.items()})
        assert steady.sub("|", read).translate(back) == steady.sub("|", text).translate(back)


@settings(max_examples=80)
@given(TEXTS | EDITED)
def test_the_fold_of_a_text_that_stands_leaves_nothing_out(text):
    if stands_as_it_is(text):
        assert screening_fold(text, stands=True).text == slow_screening_fold(text).text


@settings(max_examples=40)
@given(st.lists(st.lists(TEXTS | EDITED, min_size=1, max_size=4), max_size=5))
def test_dialogues_screened_together_are_screened_as_each_alone(dialogues):
    assert screen_all(dialogues * 16) == [screen(turns) for turns in dialogues] * 16
    turns = [turn for dialogue in dialogues for turn in dialogue]
    gate = load_lexicon().way_gate
    assert gate.numbers_of(turns * 16) == [gate.numbers(turn) for turn in turns] * 16


def test_a_dialogue_without_a_turn_is_refused_among_others():
    with pytest.raises(ValueError, match="at least one turn"):
        screen_all([["晚上睡不着"], []])


def test_no_row_of_ours_runs_on_every_text():
    lexicon = load_lexicon()
    for row in (*lexicon.rules, *lexicon.quiet):
        assert all(needs_of(row.pattern).alternatives), row.id


def test_a_row_with_a_construct_that_nobody_knows_runs_on_every_text(tmp_path):
    path = tmp_path / "lexicon.toml"
    row = '[[rules]]\nid = "odd"\npattern = \'(.)\\1{3}\'\nlevel = "risk"\nabout = "self"\n'
    path.write_text(f"quiet = []\n[parts]\nthird = '他'\nself = '我'\n{row}", "utf-8")
    assert load_lexicon(path).way_gate.numbers("随便什么") == [0]


def test_a_wrong_need_is_caught_by_the_comparison(monkeypatch):
    sound = load_lexicon()
    wrong = [Needs(((frozenset(["绝不会有"]),),)) for _ in sound.ways]
    planted: Lexicon = sound._replace(way_gate=Gate(wrong))
    monkeypatch.setattr(screen_module, "load_lexicon", lambda: planted)
    with pytest.raises(AssertionError):
        assert_equal(["我不想活了"])


def test_a_lexicon_that_cannot_be_read_is_still_refused(tmp_path):
    path = tmp_path / "lexicon.toml"
    path.write_text(
        "quiet = []\n[parts]\nthird = '他'\nself = '我'\n[[rules]]\nid = \"a\"\npattern = \"(\"\n", "utf-8"
    )
    with pytest.raises(MalformedInput):
        load_lexicon(path)
