"""The OpenAPI description of the API, as a stable file that the web app's types come from.

The events of a run travel as server-sent events, which OpenAPI describes only
as text; their models are added to the components by hand here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from psyllm.core.stages import write_text_atomically
from psyllm.serve import schema

EVENTS = (
    schema.StateEvent,
    schema.SentenceEvent,
    schema.MessageEvent,
    schema.ReplacedEvent,
    schema.DoneEvent,
)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description with the event models and one form of error for every route."""
    document = app.openapi()
    models = [(model, "serialization") for model in (*EVENTS, schema.Problem)]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas = document["components"]["schemas"]
    schemas.update(definitions["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "A problem", "content": problem}
    return document


def write(path: Path) -> None:
    """Write the description, keys sorted."""
    from psyllm.serve.app import create_app

    text = json.dumps(describe(create_app()), indent=1, sort_keys=True, ensure_ascii=False)
    write_text_atomically(path, text + "\n")
