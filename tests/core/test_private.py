"""A person's words show only their length."""

import json
import logging
import pickle

import pytest

from psyllm.core.private import Private

WORDS = "我今晚很难过"


def test_no_way_of_printing_shows_the_words(caplog):
    private = Private(WORDS)
    logging.getLogger("test").warning("got %s and %r", private, private)
    shown = [
        repr(private),
        str(private),
        f"{private}",
        f"{private:>40}",
        caplog.text,
        repr([private]),
        repr({"a": private}),
    ]
    assert all(WORDS not in text for text in shown)
    assert all("6 characters" in text for text in shown)


def test_it_can_be_revealed_compared_and_measured():
    assert Private(WORDS).reveal() == WORDS
    assert Private(WORDS) == Private(WORDS) != Private("x")
    assert len({Private(WORDS), Private(WORDS)}) == 1
    assert len(Private(WORDS)) == 6


def test_it_is_neither_pickled_nor_turned_into_json():
    with pytest.raises(TypeError):
        pickle.dumps(Private(WORDS))
    with pytest.raises(TypeError):
        json.dumps(Private(WORDS))
