"""Screening's opinion on every bundled question and dialogue, beside a reader's, difference by difference."""

import json
import tomllib
from pathlib import Path

import pytest

from psyllm.core.starter import STARTER
from psyllm.safety.levels import Level
from psyllm.safety.screen import screen

CONTENT = json.loads(STARTER.read_text("utf-8"))
SETTLED = tomllib.loads((Path(__file__).parent / "starter_opinions.toml").read_text("utf-8"))
QUIET = {"none", "distress"}


def questions():
    for question in CONTENT["questions"]:
        yield (
            question["questionID"],
            question["level"],
            [f"{question['question']}\n{question['description']}"],
        )


def dialogues():
    for number, dialogue in enumerate(CONTENT["dialogues"]):
        said = [turn["text"] for turn in dialogue["turns"] if turn["role"] == "visitor"]
        yield number, dialogue["level"], said


@pytest.mark.parametrize(("kind", "items"), [("questions", questions), ("dialogues", dialogues)])
def test_every_difference_is_settled_and_nothing_else_is(kind, items):
    differing = {}
    for key, reader, said in items():
        found = screen(said).level.label
        if found != reader and not {found, reader} <= QUIET:
            differing[key] = (reader, found)
    assert differing == {row["id"]: (row["reader"], row["screening"]) for row in SETTLED[kind]}
    assert all(len(row["why"]) > 30 for row in SETTLED[kind])


def test_whoever_a_reader_finds_in_danger_gets_help_but_for_two_that_are_settled():
    missed = [
        key
        for key, reader, said in questions()
        if Level.of(reader) >= Level.RISK and screen(said).level < Level.RISK
    ]
    assert missed == [173, 402]


def test_no_dialogue_in_danger_is_missed():
    for key, reader, said in dialogues():
        if Level.of(reader) >= Level.RISK:
            assert screen(said).level >= Level.RISK, key
