"""When a visitor's rating calls an answer good: the one judgement that records and rated answers share.

A rating comes in; whether it says good, or good and bad at once, goes out. An answer that preferences
leave out as not good must not be learnt by heart beside them. How bad is bad enough to be learnt away
from is `rated.py`'s.
"""

from __future__ import annotations

from psyllm.casebook.tables import Rating
from psyllm.core.rated_answers import AXES
from psyllm.core.settings import FeedbackSettings

MIXED = "rated_both_ways"
# With a mark below this on one axis an answer is not good, whatever its mean: fluent words that don't help.
LEAST_MARK_OF_GOOD = 3


def marks_of(rating: Rating) -> dict[str, int]:
    """Return the mark of each axis."""
    return {axis: int(getattr(rating, axis)) for axis in AXES}


def mean_of(rating: Rating) -> float:
    """Return the mean of the four marks, 1 to 5."""
    return sum(marks_of(rating).values()) / len(AXES)


def is_good(rating: Rating | None, settings: FeedbackSettings) -> bool:
    """Return whether the mean is high enough and no mark speaks against it; what nobody rated is not good."""
    return _is_high(rating, settings) and not is_mixed(rating, settings)


def is_mixed(rating: Rating | None, settings: FeedbackSettings) -> bool:
    """Return whether the mean says good and one mark says bad."""
    if rating is None or not _is_high(rating, settings):
        return False
    return min(marks_of(rating).values()) < LEAST_MARK_OF_GOOD


def _is_high(rating: Rating | None, settings: FeedbackSettings) -> bool:
    return rating is not None and mean_of(rating) >= settings.least_mean_rating
