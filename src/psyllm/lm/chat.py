"""A model's own chat template, read once into a wording.

In: the template that a folder brings, and its tokenizer. Out: a `Wording`, or a
clear error. The template is rendered around four known sentences, with thinking
off, and cut at them; what is left is what it says around anybody's words, so
those never pass through it. A template that asks for the date is always given
the same one: a wording that changed overnight would train on one prompt and serve
another. Proven here: the prompt is the beginning of what is
learnt, as text; and our ids are those that the published tokenizer gives for the
whole text. Templates are run in transformers' sandbox; nothing here loads torch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from psyllm.core.errors import BadCheckpoint
from psyllm.lm.codec import Codec, encode_wording
from psyllm.lm.model_card import read_object
from psyllm.lm.wording import Wording

OWN_MARKS = "take our own marks: --set train.template=turns"
TEMPLATE_FILE = "chat_template.jinja"
TOKENIZER_SETTINGS_FILE = "tokenizer_config.json"
ASKED = ("我最近总是睡不好，怎么办？", "可是我还是很担心。")
ANSWERED = ("听起来你很辛苦。", "我们慢慢来，好吗？")
SENTENCES = (ASKED[0], ANSWERED[0], ASKED[1], ANSWERED[1])
# The names by which templates know it; those that know none ignore them.
THINKING_OFF = {"enable_thinking": False, "thinking": False}
# Llama 3's templates write the day into their system text. Which day matters less than that it never changes.
DATE = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


class _Render(Protocol):
    def __call__(self, *, exchanges: int, asks: bool) -> str:
        """Return the text of so many whole exchanges and, if asked for, a prompt after them."""


def read_template(folder: Path) -> str | None:
    """Return the chat template that a folder brings, None where it brings none."""
    own = folder / TEMPLATE_FILE
    if own.is_file():
        return own.read_text("utf-8")
    found = tokenizer_settings(folder).get("chat_template")
    if isinstance(found, list):  # several by name
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) and found else None


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """Return tokenizer_config.json, empty where there is none.

    Raises:
        BadCheckpoint: it is not valid JSON.
    """
    return read_object(folder / TOKENIZER_SETTINGS_FILE)


def chat_wording(folder: Path, codec: Codec) -> Wording:
    """Return the wording of a folder's chat template.

    Raises:
        BadCheckpoint: there is no template, or it can't be used for training and serving alike.
    """
    template = read_template(folder)
    if template is None:
        message = f"{folder} has no chat template"
        raise BadCheckpoint(message, OWN_MARKS)
    render = _renderer(folder, template)
    first, past, following, answer = _between(folder, render(exchanges=1, asks=True), SENTENCES[:3])
    once = _between(folder, render(exchanges=0, asks=True), SENTENCES[:1])
    *opened, end_and_more = _between(folder, render(exchanges=2, asks=False), SENTENCES)
    if [first, past, following, answer] != opened or once != [first, answer]:
        message = f"{folder}: what its chat template asks for is not the beginning of what it learns from"
        raise BadCheckpoint(message, OWN_MARKS)
    end = max((mark for mark in codec.marks if end_and_more.startswith(mark)), key=len, default="")
    if not end or not following.startswith(end):
        message = f"{folder}: its chat template ends an answer with no mark of its tokenizer"
        raise BadCheckpoint(message, OWN_MARKS)
    wording = Wording(
        family="chat",
        first=first,
        following=following.removeprefix(end),
        again="\n",
        unasked=first,
        answer=answer,
        past_answer=past,
        end=end,
    )
    _prove(folder, codec, wording, render(exchanges=1, asks=True))
    return wording


def _renderer(folder: Path, template: str) -> _Render:
    # late: transformers takes a second, and only a new base or a foreign model needs its templates
    # its public way of rendering hands a template nothing callable, so no other clock
    from transformers.utils.chat_template_utils import _compile_jinja_template

    compiled: Any = _compile_jinja_template
    named = tokenizer_settings(folder)
    marks = {name: _text(named.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}

    def render(*, exchanges: int, asks: bool) -> str:
        messages: list[dict[str, str]] = []
        for number in range(exchanges + asks):
            messages.append({"role": "user", "content": ASKED[number]})
            if number < exchanges:
                messages.append({"role": "assistant", "content": ANSWERED[number]})
        try:
            rendered = compiled(template).render(
                messages=messages,
                tools=None,
                documents=None,
                add_generation_prompt=asks,
                strftime_now=_fixed_date,  # the name by which templates know the clock
                **THINKING_OFF,
                **marks,
            )
        except Exception as error:  # a template may raise anything
            message = f"{folder}: its chat template fails on a plain dialogue: {type(error).__name__}"
            raise BadCheckpoint(message, OWN_MARKS) from error
        return str(rendered)

    return render


def _fixed_date(form: str) -> str:
    return DATE.strftime(form)


def _text(token: object) -> str:
    if isinstance(token, Mapping):
        token = token.get("content")
    return token if isinstance(token, str) else ""


def _between(folder: Path, text: str, said: Sequence[str]) -> list[str]:
    """Return what stands before, between and after the known sentences."""
    parts: list[str] = []
    for sentence in said:
        before, found, text = text.partition(sentence)
        parts += [before] if found else []
    if len(parts) < len(said) or any(sentence in part for sentence in SENTENCES for part in (*parts, text)):
        message = f"{folder}: its chat template leaves out or changes what is said"
        raise BadCheckpoint(message, OWN_MARKS)
    return [*parts, text]


def _prove(folder: Path, codec: Codec, wording: Wording, prompt: str) -> None:
    """Refuse a tokenizer that joins the template's text and people's words."""
    parts: Sequence[tuple[str, bool]] = (
        (wording.first, True),
        (ASKED[0], False),
        (wording.past_answer, True),
        (ANSWERED[0], False),
        (wording.end, True),
        (wording.following, True),
        (ASKED[1], False),
        (wording.answer, True),
    )
    ids = [
        number
        for text, is_wording in parts
        for number in (encode_wording(codec, text) if is_wording else codec.encode(text))
    ]
    if ids != codec.encode_whole(prompt):
        message = f"{folder}: its tokenizer joins the chat template's text and what people say"
        raise BadCheckpoint(message, OWN_MARKS)
