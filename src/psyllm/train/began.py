"""What a run begins with and keeps to its end: threads, precision, and the words around people's words.

In: an undertaking, and the folder it is written into. Out: `began.json`, from which
`psyllm train resume` goes on; or a refusal where the base would now be spoken to
otherwise than when the run, or the one that it goes on from, began: another version
of transformers may render a chat template otherwise, and half a training in one form
and half in another is neither. Nothing here trains.
"""

from __future__ import annotations

import json
import os
from typing import Any

from psyllm.core.begun_models import BEGAN, read_began
from psyllm.core.errors import BadCheckpoint
from psyllm.core.stages import StageRun, write_text_atomically
from psyllm.core.train_settings import TrainSettings
from psyllm.lm.wording import TURNS, Wording
from psyllm.train.undertaking import Undertaking

WORDING = "wording"
PLACES = {
    "family": "the family",
    "first": "before a first question",
    "following": "before a later question",
    "again": "between two questions",
    "unasked": "before an answer that nobody asked for",
    "answer": "before the answer",
    "past_answer": "before an earlier answer",
    "end": "after an answer",
}
SHOWN_CHARS = 40  # of a text that differs, a few of them before the difference
SHOWN_BEFORE_CHARS = 15


def began(undertaking: Undertaking, writer: StageRun, processes_here: int) -> dict[str, Any]:
    """Return threads and precision, those of the interrupted run if there is one, or of the run gone on from.

    What `psyllm train resume` needs to know stands beside them.

    Raises:
        BadCheckpoint: what stands around people's words would be other than it was.
    """
    path = writer.folder / BEGAN
    settings, earlier = undertaking.settings, undertaking.earlier
    wording = _wording(settings)
    if path.is_file():
        found = read_began(writer.folder)
        again = f"make it so again (another transformers?), or delete {writer.folder} and begin anew: psyllm train"
        _need_same(found, wording, writer.name, again)
        return found
    before = {} if earlier is None else read_began(earlier)
    if earlier is not None:
        again = "start from its weights, with the words of its card, instead: psyllm train continue"
        _need_same(before, wording, earlier.name, f"{again} {earlier.name}")
    kept = {
        "threads": before.get("threads")
        or settings.threads
        or max(1, (os.cpu_count() or 1) // processes_here),
        "precision": _precision(before.get("precision") or settings.precision),
        "fingerprint": writer.fingerprint,
        "parents": [parent.model_dump() for parent in writer.parents],
        "settings": writer.settings,
        "earlier": "" if earlier is None else earlier.name,
        WORDING: wording.model_dump(),
    }
    write_text_atomically(path, json.dumps(kept))
    return kept


def _wording(settings: TrainSettings) -> Wording:
    # late: only a base brings a wording of its own, and to read it may take transformers
    from psyllm.lm.tokenizer import read_tokenizer

    if settings.base is None:
        return TURNS
    return read_tokenizer(settings.base, settings.template).wording


def _need_same(before: dict[str, Any], now: Wording, run: str, next_step: str) -> None:
    said = before.get(WORDING)  # a run of an earlier version says nothing of it
    if said is None or said == now.model_dump():
        return
    other = [
        f"{where} {_shown(said.get(name), getattr(now, name))}"
        for name, where in PLACES.items()
        if said.get(name) != getattr(now, name)
    ]
    message = f"{run} began with other words around what people say than the base has now: {'; '.join(other)}"
    raise BadCheckpoint(message, next_step)


def _shown(then: object, now: str) -> str:
    before = str(then)
    alike = next(
        (place for place, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
        min(len(before), len(now)),
    )
    start = max(alike - SHOWN_BEFORE_CHARS, 0)
    return f"{before[start : start + SHOWN_CHARS]!r}, now {now[start : start + SHOWN_CHARS]!r}"


def _precision(asked: str) -> str:
    from psyllm.train.precision import choose_precision, processor_has_bf16, this_card

    return choose_precision(asked, this_card(), processor_has_bf16=processor_has_bf16())
