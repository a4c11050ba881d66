"""Visitors who ask, read and rate over HTTP, for the way from a rating to a model."""

import itertools
import time
from collections.abc import Iterable

import httpx

from serve_house import HEADERS

AXES = ("helpfulness", "fluency", "relevance", "logic")
LONGEST_ANSWER_S = 120
_keys = itertools.count()


def _key() -> str:
    return f"played-{next(_keys):08d}"


def rate_answers(url: str, questions: Iterable[str]) -> dict[str, int]:
    """Each question is a visitor's own: every other one rates the answer well, the others the last one badly.

    These ask for another view first; where the guard lets none through they rate what there is. Returns how many ratings of which kind were taken, and of whose answers.
    """
    counts = {"good": 0, "bad": 0, "unanswered": 0, "library": 0, "model": 0}
    for number, asked in enumerate(questions):
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as visitor:
            body = {"title": asked, "details": "", "request_key": _key()}
            turn = visitor.post("/api/conversations", json=body).raise_for_status().json()
            path = f"/api/conversations/{turn['conversation_id']}"
            answers = _answers(visitor, path)
            is_good = number % 2 == 0
            if answers and not is_good:
                view = {"kind": "another_view", "request_key": _key()}
                visitor.post(f"{path}/runs", json=view).raise_for_status()
                answers = _answers(visitor, path)
            if not answers:
                counts["unanswered"] += 1
                continue
            rating = {
                **dict.fromkeys(AXES, 5 if is_good else 1),
                "comment": "说给你们听的话",
                "training_consent": True,
            }
            rated = visitor.post(f"/api/messages/{answers[-1]['id']}/rating", json=rating)
            assert rated.status_code == 201
            counts["good" if is_good else "bad"] += 1
            counts[answers[-1]["author"]] += 1
    return counts


def _answers(visitor: httpx.Client, path: str) -> list[dict]:
    """Return what can be rated, once nothing is being written any more."""
    until = time.monotonic() + LONGEST_ANSWER_S
    while True:
        found = visitor.get(path).raise_for_status().json()
        if found["running"] is None or time.monotonic() > until:
            return [message for message in found["messages"] if message["can_rate"]]
        time.sleep(0.1)
