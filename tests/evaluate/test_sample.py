"""The engine answers questions one by one or together, alike each time."""

import pytest

from evaluate.world import question
from psyllm.core.errors import BadCheckpoint
from psyllm.core.progress import listening
from psyllm.core.settings import Decoding
from psyllm.evaluate.questions import questions_of
from psyllm.evaluate.sample import draw_answers, seed_of

DECODING = Decoding(max_new_tokens=8)
ASKED = list(questions_of(question(number, split="test") for number in range(10)))


def test_an_answer_does_not_depend_on_who_else_is_asked_or_when(tiny_model):
    seen = []
    with listening(seen.append):
        first, second, *together = draw_answers(
            tiny_model, [ASKED[7], ASKED[8], *ASKED], DECODING, threads=1, seed=3
        )
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 12, 12)
    assert [first, second] == together[7:9]
    assert len({answer.text for answer in together}) > 1
    assert {answer.finish for answer in together} <= {"end", "length"}


def test_each_question_has_a_seed_of_its_own():
    seeds = {seed_of(one, 3) for one in ASKED}
    assert len(seeds) == len(ASKED)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(ASKED[0], 3) != seed_of(ASKED[0], 4)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BadCheckpoint):
        draw_answers(tmp_path / "none", ASKED, DECODING, threads=1, seed=3)
