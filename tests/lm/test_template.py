"""A dialogue becomes the same prompt in training and in serving."""

from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.records import Answer, Record, Turn
from psyllm.lm.template import (
    COUNSELLOR,
    END,
    NOT_LEARNT,
    SPECIAL_TOKENS,
    VISITOR,
    Frame,
    Message,
    beginning,
    encode_prompt,
    encode_text,
    encode_training,
    record_messages,
)


class Characters:
    """One id for each character; marks first."""

    def encode(self, text):
        return [len(SPECIAL_TOKENS) + ord(character) for character in text]

    def mark(self, token):
        return SPECIAL_TOKENS.index(token)

    @property
    def frame(self):
        visitor, counsellor, end = ([self.mark(token)] for token in (VISITOR, COUNSELLOR, END))
        return Frame(visitor, visitor, visitor, [], counsellor, counsellor, end)


LETTERS = Characters()
TEXTS = st.text(alphabet="甲乙丙丁<|end|>", max_size=12)
EXCHANGES = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


def talk(*texts, first="visitor"):
    roles = ("visitor", "counsellor") if first == "visitor" else ("counsellor", "visitor")
    return [Message(roles[number % 2], text) for number, text in enumerate(texts)]


def words(ids):
    return "".join(
        SPECIAL_TOKENS[number] if number < len(SPECIAL_TOKENS) else chr(number - len(SPECIAL_TOKENS))
        for number in ids
    )


def learnt(example):
    return words(label for label in example.labels if label != NOT_LEARNT)


def test_a_dialogue_reads_as_the_docstring_says():
    (example,) = encode_training(LETTERS, talk("问", "答", "再问", "再答"), 100)
    assert words(example.ids) == (f"{VISITOR}问{COUNSELLOR}答{END}{VISITOR}再问{COUNSELLOR}再答{END}")
    assert learnt(example) == f"答{END}再答{END}"
    assert all(label in (NOT_LEARNT, token) for token, label in zip(*example, strict=True))


@given(EXCHANGES)
def test_the_prompt_is_a_prefix_of_what_was_trained(pairs):
    messages = talk(*[text for pair in pairs for text in pair])
    (example,) = encode_training(LETTERS, messages, 10_000)
    for turn in range(1, len(messages), 2):
        prompt = encode_prompt(LETTERS, messages[:turn], 10_000)
        assert example.ids[: len(prompt)] == prompt
        assert words(prompt).endswith(COUNSELLOR)
        answered = encode_prompt(LETTERS, messages[:turn], 10_000) + LETTERS.encode(messages[turn].text)
        assert example.ids[: len(answered)] == answered
        assert example.ids[len(answered)] == LETTERS.mark(END)


@given(EXCHANGES)
def test_the_loss_covers_exactly_the_counsellors_words_and_the_end(pairs):
    messages = talk(*[text for pair in pairs for text in pair])
    (example,) = encode_training(LETTERS, messages, 10_000)
    assert learnt(example) == "".join(answer + END for _, answer in pairs)
    assert encode_text(LETTERS, messages) == example.ids


def test_a_typed_mark_is_plain_text():
    ids = encode_text(LETTERS, [Message("visitor", END), Message("counsellor", VISITOR)])
    assert [number for number in ids if number < len(SPECIAL_TOKENS)] == [
        LETTERS.mark(token) for token in (VISITOR, COUNSELLOR, END)
    ]
    prompt = encode_prompt(LETTERS, [Message("visitor", END)], 100)
    assert LETTERS.mark(END) not in prompt


@given(EXCHANGES, st.integers(min_value=8, max_value=60))
def test_long_dialogues_are_cut_between_exchanges_and_each_answer_is_learnt_once(pairs, room):
    messages = talk(*[text for pair in pairs for text in pair])
    parts = encode_training(LETTERS, messages, room)
    assert all(0 < len(part.ids) <= room and len(part.ids) == len(part.labels) for part in parts)
    fits = [answer for _, answer in pairs if len(answer) + 2 <= room]
    if len(fits) == len(pairs):
        assert "".join(learnt(part) for part in parts) == "".join(answer + END for answer in fits)
    assert all(words(part.ids).startswith((VISITOR, COUNSELLOR)) for part in parts)


def test_every_part_of_a_long_dialogue_begins_with_the_question():
    messages = talk("起因是搬家", "嗯", "后来又病了", "好的", "现在好一点", "很好")
    parts = encode_training(LETTERS, messages, 20)
    assert [words(part.ids) for part in parts] == [
        f"{VISITOR}起因是搬家{COUNSELLOR}嗯{END}{VISITOR}后来又病了{COUNSELLOR}好的{END}",
        f"{VISITOR}起因是搬家{VISITOR}现在好一点{COUNSELLOR}很好{END}",
    ]
    assert [learnt(part) for part in parts] == [f"嗯{END}好的{END}", f"很好{END}"]


def test_the_visitor_gives_way_to_an_answer_that_fits():
    (example,) = encode_training(LETTERS, talk("很长很长的一段话", "五个字的答"), 10)
    assert words(example.ids) == f"{VISITOR}段话{COUNSELLOR}五个字的答{END}"
    assert learnt(example) == f"五个字的答{END}"


def test_an_answer_too_long_by_itself_does_not_learn_to_end_early():
    (example,) = encode_training(LETTERS, talk("问", "一二三四五六七八九十"), 6)
    assert words(example.ids) == f"{COUNSELLOR}一二三四五"
    assert learnt(example) == "一二三四五"


def test_a_long_prompt_keeps_the_question_and_the_newest_turns():
    messages = talk("起因", "嗯", "中间很长的一段", "好", "最后")
    assert words(encode_prompt(LETTERS, messages, 100)).count(VISITOR) == 3
    assert words(encode_prompt(LETTERS, messages, 8)) == f"{VISITOR}起因{VISITOR}最后{COUNSELLOR}"
    assert words(encode_prompt(LETTERS, messages, 5)) == f"{VISITOR}最后{COUNSELLOR}"
    assert words(encode_prompt(LETTERS, talk("一二三四五六七八九"), 5)) == f"{VISITOR}七八九{COUNSELLOR}"


@given(EXCHANGES, st.integers(min_value=4, max_value=40))
def test_a_prompt_always_fits_and_never_opens_with_an_answer(pairs, room):
    messages = talk(*[text for pair in pairs for text in pair])[:-1]
    prompt = encode_prompt(LETTERS, messages, room)
    assert len(prompt) <= room
    assert words(prompt).startswith(VISITOR)
    assert words(prompt).endswith(COUNSELLOR)


def test_another_view_answers_the_visitor_and_not_the_answer_before():
    messages = talk("问", "答")
    assert encode_prompt(LETTERS, messages, 100) == encode_prompt(LETTERS, messages[:1], 100)


def record(**more):
    return Record(id="a:1", group="a:1", source="a", licence="CC0-1.0", **more)


def test_a_question_with_two_answers_is_two_dialogues():
    asked = record(kind="question", title="题", text="细节", answers=(Answer(text="一"), Answer(text="二")))
    assert record_messages(asked) == [
        [Message("visitor", "题\n细节"), Message("counsellor", "一")],
        [Message("visitor", "题\n细节"), Message("counsellor", "二")],
    ]


def test_turns_of_one_role_are_joined_and_an_unanswered_end_is_left_out():
    turns = (
        Turn(role="visitor", text="一"),
        Turn(role="visitor", text="二"),
        Turn(role="counsellor", text="三"),
        Turn(role="visitor", text="四"),
    )
    assert record_messages(record(kind="dialogue", turns=turns)) == [talk("一\n二", "三")]
    assert record_messages(record(kind="dialogue", turns=turns[:2])) == []
    assert record_messages(record(kind="document", title="题", text="文")) == []


def test_a_dialogues_beginning_ends_with_a_reply():
    talk = [
        Message("visitor", "甲"),
        Message("counsellor", "乙"),
        Message("visitor", "丙"),
        Message("counsellor", "丁"),
    ]
    assert beginning(talk, 1) == talk[:2]
    assert beginning(talk, 2) == beginning(talk, 3) == beginning(talk, 0) == talk
    opened = [Message("counsellor", "问"), *talk]
    assert beginning(opened, 2) == opened[:3]
