"""A person's words as a field of an API model: hidden in every repr, plain in JSON only.

A string comes in from JSON and becomes `Private`; a `Private` goes out as a
string. Half a character (a lone surrogate, as a text cut inside an emoji has it)
can't be stored and is replaced, so that the rest is heard. Nothing here reads the words.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from psyllm.core.private import Private


def _hidden(value: object) -> Private:
    if isinstance(value, Private):
        return value
    if not isinstance(value, str):
        raise ValueError("a text is needed")  # noqa: TRY004  (pydantic turns this kind into a refusal)
    return Private(value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


Words = Annotated[
    Private,
    PlainValidator(_hidden, json_schema_input_type=str),
    PlainSerializer(Private.reveal, return_type=str, when_used="json"),
]
