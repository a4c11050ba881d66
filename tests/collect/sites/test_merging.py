"""Of several copies of one piece the newest has the word; what it leaves unsaid an earlier one says."""

import pytest

from psyllm.collect.sites.contract import Piece, Reading
from psyllm.collect.sites.merging import newest

FULL = Piece(
    "answer-7",
    "answer",
    "question-1",
    "先睡一觉。",
    author_hash="a" * 32,
    votes=0,
    written_at="2021-03-01T02:00:00Z",
    fetched_at="2026-01-01T00:00:00Z",
)
BARE = Piece("answer-7", "answer", "question-1", "先睡一觉，再想。", fetched_at="2026-02-01T00:00:00Z")


@pytest.mark.parametrize("pieces", [(FULL, BARE), (BARE, FULL)])
def test_a_newer_copy_without_names_keeps_author_votes_and_time_of_the_earlier(pieces):
    (found,) = newest("question-1", [Reading((piece,)) for piece in pieces])
    assert found == FULL._replace(text=BARE.text, fetched_at=BARE.fetched_at)


def test_a_newer_copy_s_own_word_stands():
    later = FULL._replace(author_hash="b" * 32, votes=3, fetched_at=BARE.fetched_at)
    assert newest("question-1", [Reading((FULL,)), Reading((later,))]) == [later]


def test_words_that_were_taken_out_do_not_come_back_from_an_earlier_copy():
    head = FULL._replace(key="question-1", kind="question", text="很长的说明", title="题目")
    (found,) = newest(
        "question-1", [Reading((head,)), Reading((head._replace(text="", fetched_at=BARE.fetched_at),))]
    )
    assert found.text == ""
