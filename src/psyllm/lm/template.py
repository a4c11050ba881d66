"""The one place where a dialogue becomes a prompt, in training and in serving.

In: messages of visitor and counsellor, and a tokenizer with its wording (see
`wording`). Out: token ids, with labels for training. With our own marks a
dialogue reads

    <|visitor|>words<|counsellor|>words<|end|><|visitor|>words<|counsellor|>words<|end|>

and in every family only the counsellor's words and the end are learnt. What
stands around people's words is added as ids, never as text, so a person who
types "<|end|>" has typed seven ordinary characters. Nothing here knows a model,
and nothing is learnt or drawn here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

from psyllm.core.errors import BadSetting
from psyllm.core.records import Record

PAD = "<|pad|>"
END = "<|end|>"
VISITOR = "<|visitor|>"
COUNSELLOR = "<|counsellor|>"
SPECIAL_TOKENS = (PAD, END, VISITOR, COUNSELLOR)
NOT_LEARNT = -100  # the label that torch's cross entropy leaves out


class Frame(NamedTuple):
    """What stands around people's words, in a tokenizer's ids; the fields are those of `wording.Wording`."""

    first: list[int]
    following: list[int]
    again: list[int]
    unasked: list[int]
    answer: list[int]
    past_answer: list[int]
    end: list[int]


class Encoder(Protocol):
    """What the template needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; a mark inside it is plain text too."""

    @property
    def frame(self) -> Frame:
        """What stands around people's words."""


class Message(NamedTuple):
    """One utterance."""

    role: Literal["visitor", "counsellor"]
    text: str


class Example(NamedTuple):
    """One training row's part: `ids`, and as long `labels` with `NOT_LEARNT` where nothing is learnt."""

    ids: list[int]
    labels: list[int]


class _Turn(NamedTuple):
    """A message with its words as ids."""

    role: Literal["visitor", "counsellor"]
    words: list[int]


Said = TypeVar("Said", Message, _Turn)


def record_messages(record: Record) -> list[list[Message]]:
    """Return the dialogues of a record: one for each answer of a question, none for a document.

    Turns of the same role in a row become one; what a visitor says after the
    last counsellor's turn is left out, for nothing answers it.
    """
    if record.kind == "question":
        asked = Message("visitor", record.opening())
        return [[asked, Message("counsellor", answer.text)] for answer in record.answers]
    turns: list[Message] = []
    for turn in record.turns:
        if turns and turns[-1].role == turn.role:
            turns[-1] = Message(turn.role, f"{turns[-1].text}\n{turn.text}")
        else:
            turns.append(Message(turn.role, turn.text))
    while turns and turns[-1].role == "visitor":
        turns.pop()
    return [turns] if turns else []


def beginning(messages: Sequence[Message], exchanges: int) -> Sequence[Message]:
    """Return a dialogue up to its counsellor's reply of this number; all of it for 0, or where it has fewer."""
    replies = [place for place, message in enumerate(messages) if message.role == "counsellor"]
    return messages[: replies[exchanges - 1] + 1] if 0 < exchanges <= len(replies) else messages


def encode_training(tokenizer: Encoder, messages: Sequence[Message], max_tokens: int) -> list[Example]:
    """Return the dialogue as examples of at most `max_tokens`: one if it fits.

    A longer dialogue is cut between exchanges; every later part begins with
    the question again where there is room, and each answer is learnt once. In
    an exchange that is too long by itself the visitor's words give way first
    and keep their end; an answer is cropped only when it alone does not fit,
    and then its end is not learnt. Where a past answer reads otherwise than a
    new one (a chat template that drops what the model thought), every answer
    is an example of its own, after the prompt that it will be drawn from.

    Raises:
        BadSetting: not even the wording fits into so few tokens.
    """
    frame = tokenizer.frame
    exchanges = list(_exchanges(_turns(tokenizer, messages)))
    if frame.answer != frame.past_answer:
        ends = [sum(map(len, exchanges[: number + 1])) for number in range(len(exchanges))]
        turns = [turn for exchange in exchanges for turn in exchange]
        return [_answered(frame, turns[: end - 1], turns[end - 1], max_tokens) for end in ends]
    question = exchanges[0][:1] if exchanges and messages[0].role == "visitor" else []
    parts: list[list[_Turn]] = []
    for exchange in exchanges:
        if parts and _fits(frame, [*parts[-1], *exchange], max_tokens):
            parts[-1] += exchange
        elif parts and _fits(frame, [*question, *exchange], max_tokens):
            parts.append([*question, *exchange])
        else:
            parts.append(list(exchange))
    return [_example(frame, part, max_tokens) for part in parts]


def encode_prompt(tokenizer: Encoder, messages: Sequence[Message], max_tokens: int) -> list[int]:
    """Return at most `max_tokens` ids that end where the counsellor's words begin.

    What a counsellor said after the visitor's last words is left out: the model
    answers the visitor, and training never shows it two answers in a row. If
    the dialogue is too long, the newest turns stay, and the question before
    them where it takes no more than half of the room, as in training.

    Raises:
        BadSetting: not even the wording fits into so few tokens.
    """
    return _prompt(tokenizer.frame, _turns(tokenizer, _until_visitor(messages)), max_tokens)


def encode_text(tokenizer: Encoder, messages: Iterable[Message]) -> list[int]:
    """Return a whole dialogue's ids, uncut, for training on all of its words."""
    return _lay_out(tokenizer.frame, _turns(tokenizer, messages)).ids


def _until_visitor(said: Sequence[Said]) -> Sequence[Said]:
    asked = [index for index, one in enumerate(said) if one.role == "visitor"]
    return said[: asked[-1] + 1] if asked else []


def _turns(tokenizer: Encoder, messages: Iterable[Message]) -> list[_Turn]:
    return [_Turn(message.role, tokenizer.encode(message.text)) for message in messages]


def _exchanges(turns: Iterable[_Turn]) -> Iterator[list[_Turn]]:
    exchange: list[_Turn] = []
    for turn in turns:
        exchange.append(turn)
        if turn.role == "counsellor":
            yield exchange
            exchange = []


def _lay_out(frame: Frame, turns: Sequence[_Turn]) -> Example:
    """Put the wording around the turns; a last answer is a new one, all others are past."""
    ids: list[int] = []
    labels: list[int] = []
    for index, turn in enumerate(turns):
        before = _before(frame, turns[index - 1] if index else None, turn, is_last=index == len(turns) - 1)
        learnt = [*turn.words, *frame.end] if turn.role == "counsellor" else []
        ids += [*before, *(learnt or turn.words)]
        labels += [NOT_LEARNT] * (len(ids) - len(labels) - len(learnt)) + learnt
    return Example(ids, labels)


def _before(frame: Frame, previous: _Turn | None, turn: _Turn, *, is_last: bool) -> list[int]:
    if turn.role == "counsellor":
        opening = frame.answer if is_last else frame.past_answer
        return [*frame.unasked, *opening] if previous is None else opening
    if previous is None:
        return frame.first
    return frame.again if previous.role == "visitor" else frame.following


def _fits(frame: Frame, turns: Sequence[_Turn], max_tokens: int) -> bool:
    return len(_lay_out(frame, turns).ids) <= max_tokens


def _example(frame: Frame, turns: list[_Turn], max_tokens: int) -> Example:
    """Return the turns of whole exchanges; only a single exchange may be too long."""
    whole = _lay_out(frame, turns)
    if len(whole.ids) <= max_tokens:
        return whole
    return _answered(frame, turns[:-1], turns[-1], max_tokens)


def _answered(frame: Frame, before: list[_Turn], answer: _Turn, max_tokens: int) -> Example:
    """Return the answer after as much of a prompt as it leaves room for."""
    learnt = [*answer.words, *frame.end]
    room = max_tokens - len(learnt)
    before = list(_until_visitor(before))
    if before and room > len(frame.first) + len(frame.answer):
        prompt = _prompt(frame, before, room)
    else:
        prompt = [*frame.unasked, *frame.answer]
    _need_room(prompt, max_tokens)
    ids = [*prompt, *learnt][:max_tokens]
    labels = [*[NOT_LEARNT] * len(prompt), *learnt][:max_tokens]
    return Example(ids, labels)


def _prompt(frame: Frame, turns: list[_Turn], max_tokens: int) -> list[int]:
    """Return the turns, which end with the visitor's, and what stands before the answer."""
    room = max_tokens - len(frame.answer)
    kept = _kept(frame, turns, room)
    ids = [*_past(frame, kept), *frame.answer] if kept else [*frame.unasked, *frame.answer]
    _need_room(ids, max_tokens)
    return ids


def _kept(frame: Frame, turns: list[_Turn], room: int) -> list[_Turn]:
    if not turns or len(_past(frame, turns)) <= room:
        return turns
    asks_first = turns[0].role == "visitor" and len(_past(frame, turns[:1])) <= room // 2
    newest = _newest(frame, turns[:1], turns[1:], room) if asks_first else []
    if newest:
        return [turns[0], *newest]
    newest = _newest(frame, [], turns, room)
    if newest:
        return newest
    return [_Turn("visitor", _tail(turns[-1].words, max(room - len(frame.first), 0)))]


def _newest(frame: Frame, question: list[_Turn], turns: list[_Turn], room: int) -> list[_Turn]:
    """Return the longest end of `turns` that fits after the question and opens with the visitor's words."""
    for index, turn in enumerate(turns):
        if turn.role == "visitor" and len(_past(frame, [*question, *turns[index:]])) <= room:
            return turns[index:]
    return []


def _past(frame: Frame, turns: Sequence[_Turn]) -> list[int]:
    """Return the ids of turns that end with the visitor's."""
    return _lay_out(frame, turns).ids


def _need_room(prompt: list[int], max_tokens: int) -> None:
    if len(prompt) > max_tokens:
        message = f"a row of {max_tokens} tokens does not hold the {len(prompt)} that stand around the words"
        raise BadSetting(message, "set longer rows: train.model.context_tokens, row_tokens")


def _tail(ids: list[int], count: int) -> list[int]:
    return ids[len(ids) - count :] if count < len(ids) else ids
