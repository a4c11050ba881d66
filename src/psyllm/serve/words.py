"""A person's words as a field of an API model: hidden in every repr, plain in JSON only.

A string comes in from JSON and becomes `Private`; a `Private` goes out as a
string. Nothing here reads the words.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import GetPydanticSchema
from pydantic_core import CoreSchema, core_schema

from psyllm.core.private import Private


def _schema(_source: object, _handler: object) -> CoreSchema:
    from_text = core_schema.no_info_after_validator_function(Private, core_schema.str_schema())
    return core_schema.json_or_python_schema(
        json_schema=from_text,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(Private), from_text]),
        serialization=core_schema.plain_serializer_function_ser_schema(
            Private.reveal, return_schema=core_schema.str_schema(), when_used="json"
        ),
    )


Words = Annotated[Private, GetPydanticSchema(_schema)]
