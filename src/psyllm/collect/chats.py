"""Chats as JSON objects in the forms that chat models are trained on, as records.

Comes in: objects with `messages` (role, content), `conversations` (from, value),
`conversation` (input, output), alpaca's `instruction`, `input`, `output` and
`history`, or a `text` in ChatML. Goes out: dialogue records; an alpaca row
without a history is a question with its answer. System prompts are cut and
counted, and so is an instruction that is the same in every row; a chat with
tool calls or pictures is left out and counted. Turns are not mended.
Source: the formats' descriptions in LLaMA-Factory, EmoLLM and OpenAI's API.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from psyllm.collect import chatml
from psyllm.collect.json_items import Item, whole_items
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Answer, Record, Role, Turn

VISITORS = frozenset(
    ["user", "human", "client", "visitor", "seeker", "patient", "来访者", "求助者", "用户", "患者"]
)
COUNSELLORS = frozenset(
    [
        "assistant",
        "gpt",
        "chatgpt",
        "bot",
        "model",
        "counselor",
        "counsellor",
        "supporter",
        "therapist",
        "psychologist",
        "心理咨询师",
        "咨询师",
        "支持者",
        "助手",
    ]
)
PROMPTS = frozenset(["system", "developer"])
TOOLS = frozenset(
    ["tool", "function", "function_call", "observation", "tool_call", "tool_response", "ipython"]
)
_LISTS = ("messages", "conversations", "conversation", "dialogue")
_ASKED = ("input", "human", "user", "question")
_ANSWERED = ("output", "assistant", "gpt", "answer")
_KEYS = ("id", "conversation_id", "dialogue_id", "dialog_id")
ROWS_COMPARED = 100
FEWEST_ROWS_COMPARED = 3


class LeftOut(Exception):
    """This chat is no record; the argument says why."""


def is_messages(value: object) -> bool:
    """Return whether an object holds a list of turns with role and content, or from and value."""
    first = _first_turn(value)
    return ("role" in first and "content" in first) or ("from" in first and "value" in first)


def is_pairs(value: object) -> bool:
    """Return whether an object holds a list of input and output, as EmoLLM's do."""
    first = _first_turn(value)
    return any(name in first for name in _ASKED) and any(name in first for name in _ANSWERED)


def is_alpaca(value: object) -> bool:
    """Return whether an object is a row in alpaca's form."""
    return isinstance(value, dict) and "instruction" in value and "output" in value


def is_chatml(value: object) -> bool:
    """Return whether an object holds its chat as one text in ChatML."""
    return isinstance(value, dict) and isinstance(value.get("text"), str) and chatml.is_chatml(value["text"])


def records(items: Iterable[Item], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a chat or row.

    Raises:
        MalformedInput: an object has another form; names the field.
    """
    found = whole_items(items, source)
    first = list(itertools.islice(found, ROWS_COMPARED))
    prompt = _prompt_of([item.value for item in first])
    for item in itertools.chain(first, found):
        try:
            yield _record(item, prompt, source)
        except LeftOut as error:
            source.leave_out(str(error))
        except (KeyError, TypeError, ValueError) as error:
            field = error.args[0] if isinstance(error, KeyError) else "a turn"
            message = f"{path}, {item.where}: {field} has not the form that the first record has"
            raise MalformedInput(message, "mend or remove that record, then import again") from None


def _record(item: Item, prompt: str, source: Source) -> Record:
    value = item.value
    if not isinstance(value, dict):
        raise TypeError
    if value.get("tools") or value.get("functions"):
        raise LeftOut("holds_tool_calls")
    if value.get("system"):
        source.cut("system_prompt")
    if is_alpaca(value):
        return _alpaca(item, value, prompt, source)
    if is_chatml(value):
        chat = itertools.chain.from_iterable(chatml.chats([value["text"]], source))
        return dialogue(chat, _key(value, item, source), source)
    return dialogue(_said(value, source), _key(value, item, source), source)


def dialogue(said: Iterable[tuple[str, str]], key: str, source: Source) -> Record:
    """Return the record of what roles said.

    Raises:
        LeftOut: there are tool calls, or no turns at all.
        KeyError: a role is unknown.
    """
    turns = turns_of(said, source)
    if not turns:
        raise LeftOut("no_turns")
    return Record(kind="dialogue", turns=tuple(turns), **source.provenance(key))


def turns_of(said: Iterable[tuple[str, str]], source: Source) -> list[Turn]:
    """Return the turns of what roles said, without system prompts.

    Raises:
        LeftOut: there are tool calls.
        KeyError: a role is unknown.
    """
    turns = []
    for role, text in said:
        name = role.strip().lower()
        if name in TOOLS:
            raise LeftOut("holds_tool_calls")
        if name in PROMPTS:
            source.cut("system_prompt")
        else:
            turns.append(Turn(role=_role(name), text=text))
    return turns


def _role(name: str) -> Role:
    if name in VISITORS:
        return "visitor"
    if name in COUNSELLORS:
        return "counsellor"
    raise KeyError("a role")


def _said(value: dict[str, object], source: Source) -> Iterator[tuple[str, str]]:
    turns = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    if not isinstance(turns, list):
        raise KeyError("the list of turns")
    for turn in turns:
        if not isinstance(turn, dict):
            raise TypeError
        if "role" in turn or "from" in turn:
            yield _one(turn)
        else:
            yield from _pair(turn, source)


def _one(turn: dict[str, object]) -> tuple[str, str]:
    if turn.get("tool_calls") or turn.get("function_call"):
        raise LeftOut("holds_tool_calls")
    role = turn["role"] if "role" in turn else turn["from"]
    text = turn["content"] if "content" in turn else turn["value"]
    if isinstance(text, list):
        text = "\n".join(_part(part) for part in text)
    if not isinstance(role, str) or not isinstance(text, str):
        raise TypeError
    return role, text


def _part(part: object) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        raise LeftOut("holds_more_than_text")
    return str(part["text"])


def _pair(turn: dict[str, object], source: Source) -> Iterator[tuple[str, str]]:
    if turn.get("system"):
        source.cut("system_prompt")
    for role, names in (("user", _ASKED), ("assistant", _ANSWERED)):
        text = next((turn[name] for name in names if name in turn), "")
        if not isinstance(text, str):
            raise TypeError
        if text:
            yield role, text
        else:
            source.cut("empty_turn")


def _alpaca(item: Item, value: dict[str, object], prompt: str, source: Source) -> Record:
    instruction, more, output = (value.get(name) or "" for name in ("instruction", "input", "output"))
    if not (isinstance(instruction, str) and isinstance(more, str) and isinstance(output, str)):
        raise TypeError
    if prompt and instruction == prompt:
        source.cut("system_prompt")
        instruction, more = more, ""
    history = value.get("history")
    if history:
        asked = "\n".join(part for part in (instruction, more) if part)
        said = [*_history(history), ("user", asked), ("assistant", output)]
        return dialogue(said, _key(value, item, source), source)
    key = _key(value, None, source) or source.key_of(f"{instruction}\n{more}".encode())
    answers = (Answer(text=output),)
    return Record(kind="question", title=instruction, text=more, answers=answers, **source.provenance(key))


def _history(history: object) -> Iterator[tuple[str, str]]:
    if not isinstance(history, list):
        raise TypeError
    for asked, answered in history:
        if not isinstance(asked, str) or not isinstance(answered, str):
            raise TypeError
        yield "user", asked
        yield "assistant", answered


def _prompt_of(values: Sequence[object]) -> str:
    """Return the instruction that all rows share beside questions of their own, which is a prompt."""
    rows = [value for value in values if is_alpaca(value) and isinstance(value, dict)]
    inputs = {str(row.get("input") or "") for row in rows}
    if len(rows) < FEWEST_ROWS_COMPARED or "" in inputs or len(inputs) * 2 < len(rows):
        return ""
    instructions = {str(row["instruction"]) for row in rows}
    return instructions.pop() if len(instructions) == 1 else ""


def _first_turn(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        for name in _LISTS:
            turns = value.get(name)
            if isinstance(turns, list) and turns and isinstance(turns[0], dict):
                return turns[0]
    return {}


def _key(value: dict[str, object], item: Item | None, source: Source) -> str:
    for name in _KEYS:
        if isinstance(value.get(name), str | int):
            return str(value[name])
    return source.key_of(item.raw) if item is not None else ""
