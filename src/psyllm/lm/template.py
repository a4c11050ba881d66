"""The one place where a dialogue becomes a prompt, in training and in serving.

In: messages of visitor and counsellor, and anything that encodes text. Out:
token ids, with labels for training. A dialogue reads

    <|visitor|>words<|counsellor|>words<|end|><|visitor|>words<|counsellor|>words<|end|>

and only the counsellor's words and <|end|> are learnt. The marks are added as
ids, never as text, so a person who types "<|end|>" has typed seven ordinary
characters. Nothing here knows a model, and nothing is learnt or drawn here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from psyllm.core.records import Record

TEMPLATE_VERSION = "turns-1"
PAD = "<|pad|>"
END = "<|end|>"
VISITOR = "<|visitor|>"
COUNSELLOR = "<|counsellor|>"
SPECIAL_TOKENS = (PAD, END, VISITOR, COUNSELLOR)
NOT_LEARNT = -100  # the label that torch's cross entropy leaves out


class Encoder(Protocol):
    """What the template needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; a mark inside it is plain text too."""

    def mark(self, token: str) -> int:
        """Return the id of one of `SPECIAL_TOKENS`."""


class Message(NamedTuple):
    """One utterance."""

    role: Literal["visitor", "counsellor"]
    text: str


class Segment(NamedTuple):
    """A piece of a rendered dialogue: plain text, or one mark; `learn` counts it in the loss."""

    text: str
    learn: bool
    is_mark: bool


class Example(NamedTuple):
    """One training row's part: `ids`, and as long `labels` with `NOT_LEARNT` where nothing is learnt."""

    ids: list[int]
    labels: list[int]


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


def render(messages: Iterable[Message]) -> list[Segment]:
    """Return the segments of a dialogue in order."""
    segments: list[Segment] = []
    for message in messages:
        answers = message.role == "counsellor"
        segments.append(Segment(COUNSELLOR if answers else VISITOR, learn=False, is_mark=True))
        segments.append(Segment(message.text, learn=answers, is_mark=False))
        if answers:
            segments.append(Segment(END, learn=True, is_mark=True))
    return segments


def encode_training(tokenizer: Encoder, messages: Sequence[Message], max_tokens: int) -> list[Example]:
    """Return the dialogue as examples of at most `max_tokens`: one if it fits.

    A longer dialogue is cut between exchanges; every later part begins with
    the question again where there is room, and each answer is learnt once. In
    an exchange that is too long by itself the visitor's words give way first
    and keep their end; an answer is cropped only when it alone does not fit,
    and then <|end|> is not learnt.
    """
    exchanges = [[_encode(tokenizer, message) for message in exchange] for exchange in _exchanges(messages)]
    if not exchanges:
        return []
    question = exchanges[0][0] if messages[0].role == "visitor" else Example([], [])
    parts: list[Example] = []
    part = Example([], [])
    for exchange in exchanges:
        whole = _fit(exchange, max_tokens)
        if part.ids and len(part.ids) + len(whole.ids) > max_tokens:
            parts.append(part)
            part = Example([], [])
            if len(question.ids) + len(whole.ids) <= max_tokens:
                part = question
        part = _join([part, whole])
    return [*parts, part]


def encode_prompt(tokenizer: Encoder, messages: Sequence[Message], max_tokens: int) -> list[int]:
    """Return at most `max_tokens` ids that end in <|counsellor|>.

    What a counsellor said after the visitor's last words is left out: the model
    answers the visitor, and training never shows it two answers in a row. If
    the dialogue is too long, the newest turns stay, and the question before
    them where it takes no more than half of the room, as in training.
    """
    messages = _until_visitor(messages)
    room = max_tokens - 1
    turns = [_encode(tokenizer, message).ids for message in messages]
    answer = [tokenizer.mark(COUNSELLOR)]
    if sum(map(len, turns)) <= room:
        return [*_flat(turns), *answer]
    asks_first = messages[0].role == "visitor" and len(turns[0]) <= room // 2
    if asks_first:
        newest = _newest(messages[1:], turns[1:], room - len(turns[0]))
        if newest:
            return [*turns[0], *_flat(newest), *answer]
    newest = _newest(messages, turns, room)
    if not newest:
        newest = [turns[-1][:1] + _tail(turns[-1][1:], room - 1)]
    return [*_flat(newest), *answer]


def encode_text(tokenizer: Encoder, messages: Iterable[Message]) -> list[int]:
    """Return a whole dialogue's ids, uncut, for training on all of its words."""
    return _flat(_encode(tokenizer, message).ids for message in messages)


def _until_visitor(messages: Sequence[Message]) -> Sequence[Message]:
    asked = [index for index, message in enumerate(messages) if message.role == "visitor"]
    return messages[: asked[-1] + 1] if asked else []


def _encode(tokenizer: Encoder, message: Message) -> Example:
    ids: list[int] = []
    labels: list[int] = []
    for segment in render([message]):
        new = [tokenizer.mark(segment.text)] if segment.is_mark else tokenizer.encode(segment.text)
        ids += new
        labels += new if segment.learn else [NOT_LEARNT] * len(new)
    return Example(ids, labels)


def _exchanges(messages: Iterable[Message]) -> Iterator[list[Message]]:
    exchange: list[Message] = []
    for message in messages:
        exchange.append(message)
        if message.role == "counsellor":
            yield exchange
            exchange = []


def _fit(exchange: list[Example], max_tokens: int) -> Example:
    whole = _join(exchange)
    if len(whole.ids) <= max_tokens:
        return whole
    answer = exchange[-1]
    room = max_tokens - len(answer.ids)
    if len(exchange) == 1 or room < 2:
        return Example(answer.ids[:max_tokens], answer.labels[:max_tokens])
    asked = _join(exchange[:-1])
    mark, words = asked.ids[:1], _tail(asked.ids[1:], room - 1)
    return _join([Example(mark + words, [NOT_LEARNT] * room), answer])


def _newest(messages: Sequence[Message], turns: Sequence[list[int]], room: int) -> list[list[int]]:
    kept: list[list[int]] = []
    best: list[list[int]] = []
    for message, turn in zip(reversed(messages), reversed(turns), strict=True):
        room -= len(turn)
        if room < 0:
            break
        kept = [turn, *kept]
        if message.role == "visitor":  # a window never opens with an answer to nothing
            best = kept
    return best


def _tail(ids: list[int], count: int) -> list[int]:
    return ids[len(ids) - count :] if count < len(ids) else ids


def _join(examples: Iterable[Example]) -> Example:
    examples = list(examples)
    return Example(_flat(part.ids for part in examples), _flat(part.labels for part in examples))


def _flat(parts: Iterable[list[int]]) -> list[int]:
    return [token for part in parts for token in part]
