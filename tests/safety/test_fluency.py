import json
import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.starter import starter_records
from psyllm.safety import fluency
from psyllm.safety.fluency import is_readable, measure, stretches, unreadable
from psyllm.text.sentences import split_sentences

SALAD = [
    "用还是心里空，你或者做。2挨讲1…去医院别的了",
    "您她想，夜里带一个找个找？要是别上，把只是请总有的，问：你要说。",
    "只是弟弟说要是还被学校心理，等看已经小，疼，1或者谁来也份的。",
    "未必也许心慌放、更知道，是那几本事。她数学来得及另外。",
    "头回过多少，喜欢的看。可厂、委屈，2走了，别听，是先把长。",
    "他准、为2的不在接。若是哪些不提那慌的走了，还块走什么，手抖过来就半句。",
]
FINE = [
    "听起来这段时间你一个人扛了很多，真的很不容易。",
    "失眠的时候，可以先起来坐一会儿，喝点温水，等有困意了再回到床上。",
    "能和我说说，最近一次觉得轻松是什么时候吗？",
    "你并不孤单。很多人在考试前都会这样紧张，这不说明你不够好。",
    "妈妈那句“你怎么这么没用”，听着一定很疼。你愿意多说一点吗？",
    "每天走2公里，或者睡前写3句话，都可以试试。",
]


@pytest.mark.parametrize("text", SALAD)
def test_word_salad_is_refused(text):
    assert "word-salad" in unreadable(text)


@pytest.mark.parametrize("text", FINE)
def test_plain_comfort_is_readable(text):
    assert unreadable(text, final=True) == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("先坐下来，慢慢呼吸。\n\n\n\n等心里静一点。", "blank-lines"),
        ("她说：“别怕。她说：“我在。”你听见了吗？", "unpaired-quotes"),
        ("先坐下来，慢慢呼吸。”等心里静一点。", "unpaired-quotes"),
        ("我在听……………………你慢慢说。", "mark-storm"),
        ("你可以对自己说“”，然后慢慢呼吸。", "empty-quotes"),
        ("先坐下来，慢慢呼吸。\n，等心里静一点。", "stray-mark"),
        ("先坐下来，我，你，他，都可以慢慢说。", "one-character-clauses"),
    ],
)
def test_broken_layout_is_named(text, reason):
    assert reason in unreadable(text)


def test_an_open_quotation_may_still_close_but_not_stay_open():
    text = "你可以对自己说：“我已经尽力了。"
    assert is_readable(text)
    assert "unpaired-quotes" in unreadable(text, final=True)
    assert is_readable(text + "”")
    assert "unpaired-quotes" in unreadable(text + "\n")


def test_salad_behind_good_sentences_is_seen():
    good = "".join(FINE[:5])
    assert is_readable(good)
    assert not is_readable(good + "".join(SALAD[1:3]))


def test_a_few_characters_are_not_judged():
    assert is_readable("")
    assert is_readable("嗯，我在。")


def test_the_same_words_in_disorder_are_refused():
    sentence = "听起来这段时间你一个人扛了很多事情，真的很不容易，我们可以慢慢地说。"
    assert is_readable(sentence)
    assert not is_readable("的了多扛事情人一个，时间你听地起来这段，慢慢我们不说真很容易可以的。")


@given(st.text(alphabet="你我的了，。？“”…\n1a 难过睡", max_size=120))
def test_any_text_gets_an_answer_and_the_same_one(text):
    assert unreadable(text) == unreadable(text)
    assert "".join(stretches(text)) == text


def test_measures_are_finite_and_as_many_as_named():
    values, length = measure("难过。", fluency.load_tables())
    assert len(values) == len(fluency.MEASURES)
    assert np.isfinite(values).all()
    assert length > 0


def test_every_starter_answer_can_be_read():
    answers = [answer.text for record in starter_records() for answer in record.answers]
    refused = [text[:10] for text in answers if not is_readable(text)]
    assert len(refused) <= len(answers) // 50, refused


def counsellor_turns(folder, count):
    turns = []
    with lzma.open(folder / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number < 2000:  # the first ones took part in fitting
                continue
            dialogue = json.loads(line)["dialog"]
            turns += [turn["content"] for turn in dialogue if turn["role"] == "counselor"]
            if len(turns) >= count:
                return turns[:count]
    raise AssertionError("too few turns")


@pytest.mark.outside_data
def test_real_counsellors_are_hardly_ever_refused(outside_data):
    turns = counsellor_turns(outside_data, 300)
    longer = [turn for turn in turns if len(split_sentences(turn)) > 1]
    assert len(longer) > 200
    # 1 % is aimed at; of 300 one more may be chance
    assert sum(not is_readable(turn) for turn in longer) <= 0.01 * len(longer) + 1
    first = [split_sentences(turn)[0] for turn in turns]
    assert sum(not is_readable(sentence) for sentence in first) <= 0.03 * len(first)


@pytest.mark.outside_data
def test_real_turns_with_shuffled_words_are_nearly_always_refused(outside_data):
    generator = np.random.default_rng(20261123)
    turns = [turn for turn in counsellor_turns(outside_data, 200) if len(turn) > 50]
    shuffled = []
    for turn in turns:
        words = [word for word, _ in fluency.tagged_words(turn)]
        generator.shuffle(words)
        shuffled.append("".join(words))
    assert sum(map(is_readable, shuffled)) <= 0.03 * len(shuffled)
