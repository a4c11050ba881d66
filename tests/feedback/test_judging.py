"""One judgement of what a good rating is."""

from hypothesis import given
from hypothesis import strategies as st

from psyllm.casebook.tables import Rating
from psyllm.core.rated_answers import AXES
from psyllm.core.settings import FeedbackSettings
from psyllm.feedback.judging import is_good, is_mixed, mean_of

SETTINGS = FeedbackSettings()


def rating(*marks: int) -> Rating:
    return Rating(**dict(zip(AXES, marks, strict=True)))


def test_one_bad_mark_outweighs_a_high_mean():
    assert mean_of(rating(1, 5, 5, 5)) == 4.0
    assert is_mixed(rating(1, 5, 5, 5), SETTINGS)
    assert not is_good(rating(1, 5, 5, 5), SETTINGS)
    assert is_good(rating(3, 5, 4, 4), SETTINGS)
    assert not is_good(None, SETTINGS)


@given(st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_good_is_a_high_mean_without_a_mark_below_the_middle(marks):
    one = rating(*marks)
    assert is_good(one, SETTINGS) == (sum(marks) >= 16 and min(marks) >= 3)
    assert is_mixed(one, SETTINGS) == (sum(marks) >= 16 and min(marks) < 3)
