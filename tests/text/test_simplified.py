"""Which texts are put into simplified characters, and what becomes of their characters."""

import json
import lzma
import random
import subprocess
from pathlib import Path

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import is_missing
from psyllm.text import simplified as simplified_module
from psyllm.text.simplified import is_traditional, simplified
from psyllm.text.traditional import (
    CHANGED_IN_PHRASES,
    SOMETIMES_CHANGED,
    changed_alone,
    converted,
    may_change,
    may_change_pattern,
)

GOLDEN = [
    ("這本書很著名，她看著他哭了", "这本书很著名，她看着他哭了"),
    ("什麼時候開始的？那麼久，怎麽辦", "什么时候开始的？那么久，怎么办"),
    ("乾隆年間的杯子，衣服曬乾了", "乾隆年间的杯子，衣服晒干了"),
    ("房間裡很冷，頭髮掉得厲害", "房间里很冷，头发掉得厉害"),
    ("皇后死後，發現還有剩餘", "皇后死后，发现还有剩余"),
    ("壞習慣，會幫我嗎", "坏习惯，会帮我吗"),
    ("反覆說謝謝，我瞭解", "反复说谢谢，我了解"),
]
SIMPLIFIED = [
    "乾隆年间，著名的老幺说：么女坏了，余下的反覆看，瞭望台上藉此沈某",
    "什么时候？怎么办？那么多，要么走，打坏了毛坏",
    "皇后在后面，头发发现，干净的里面，余生很长",
    "",
    "hello 123",
]
CHARACTERS = st.sampled_from("這說會麼裡後髮著乾么坏我你的了，。a 1覺得")


@pytest.mark.parametrize(("written", "kept"), GOLDEN)
def test_a_traditional_text_is_put_into_simplified_characters(written, kept):
    assert simplified(written).text == kept


@pytest.mark.parametrize("text", SIMPLIFIED)
def test_a_simplified_text_comes_back_unchanged_though_the_conversion_would_change_it(text):
    assert simplified(text).text == text
    assert simplified(text).offsets.passes == ()


def test_one_traditional_word_in_a_long_text_converts_nothing_and_three_characters_convert_it_whole():
    around = "我今天去看乾隆的展览，回家以后一直睡不着，想了很多以前的事情，"
    assert simplified(around + "他姓張").text == around + "他姓張"
    mixed = simplified(around + "媽媽說：這樣不好").text
    assert mixed.endswith("妈妈说：这样不好")


def test_a_short_traditional_message_is_seen_by_its_share():
    assert is_traditional("我很難過")
    assert simplified("謝謝你").text == "谢谢你"
    assert not is_traditional("我昨天在路上碰到了一个姓張的老同学，我们聊了很久")


@given(st.text(CHARACTERS, max_size=60))
def test_places_follow_the_characters(text):
    new = simplified(text)
    assert len(new.text) == len(text)  # no phrase of OpenCC 1.4.2 changes its length
    for at, (before, after) in enumerate(zip(text, new.text, strict=True)):
        assert new.offsets.span(at, at + 1) == new.offsets.old_span(at, at + 1) == (at, at + 1)
        assert before == after or before in may_change()


@given(st.text(CHARACTERS, max_size=60))
def test_doing_it_twice_changes_nothing_more(text):
    once = simplified(text).text
    assert simplified(once).text == once


def test_places_are_right_when_a_phrase_changes_its_length(monkeypatch):
    longer = {"這說會麼": "这说会什么", "裡": "裡"}
    monkeypatch.setattr(simplified_module, "converted", lambda run: longer.get(run, run))
    new = simplified("好，這說會麼，裡")
    assert new.text == "好，这说会什么，裡"
    assert new.offsets.span(7, 8) == (8, 9)
    assert new.offsets.old_span(8, 9) == (7, 8)
    assert new.offsets.span(2, 6) == (2, 7)
    assert new.offsets.old_span(2, 7) == (2, 6)


def dictionary(name, folder):
    """Return a dictionary of the installed OpenCC as key → first value, by its own program."""
    home = Path(opencc.__file__).parent / "clib"
    program, out = home / "bin" / "opencc_dict", folder / name
    if not program.is_file():
        is_missing("this build of opencc has no opencc_dict; install the pinned wheel: make setup-dev")
    source = home / "share" / "opencc" / f"{name}.ocd2"
    command = [program, "-i", source, "-o", out, "-f", "ocd2", "-t", "text"]
    subprocess.run(command, check=True, env={"LD_LIBRARY_PATH": str(home / "lib64")})
    lines = out.read_text("utf-8").splitlines()
    return {key: values.split(" ")[0] for key, values in (line.split("\t") for line in lines)}


def test_every_phrase_that_opencc_changes_holds_a_character_of_the_gate(tmp_path):
    variants = dictionary("TWVariantsRev", tmp_path)
    written_as = {}
    for taiwanese, standard in variants.items():
        written_as.setdefault(standard, []).append(taiwanese)
    phrases = {**dictionary("TWVariantsRevPhrases", tmp_path), **dictionary("TSPhrases", tmp_path)}
    assert len(phrases) > 1000
    for key in phrases:
        for written in spellings(key, written_as):
            if not set(written) & (may_change() - set(SOMETIMES_CHANGED)):
                left = converted(written)
                assert [SOMETIMES_CHANGED.get(c, c) for c in left] == [
                    SOMETIMES_CHANGED.get(c, c) for c in written
                ]
            assert converted(written) == written or may_change_pattern().search(written)
    singles = {**variants, **dictionary("TSCharacters", tmp_path), **dictionary("TSCharactersExt", tmp_path)}
    assert changed_alone() == {c for c in changed_alone() | set(singles) if converted(c) != c}


def spellings(key, written_as):
    ways = [""]
    for character in key:
        ways = [way + one for way in ways for one in (character, *written_as.get(character, ()))]
    return ways


@pytest.mark.outside_data
def test_real_texts_without_a_character_of_the_gate_are_left_alone_by_opencc(outside_data):
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(next(lines)) for _ in range(300)]
    texts = [turn["content"] for row in rows for turn in row["dialog"]]
    rng = random.Random(1)
    texts += ["".join(rng.sample(text, len(text))) for text in texts]
    assert all(may_change_pattern().search(text) or converted(text) == text for text in texts)
    assert not CHANGED_IN_PHRASES & changed_alone()
