"""The order and the names of the levels."""

import pytest

from psyllm.safety.levels import Level


def test_levels_are_ordered_by_danger():
    assert Level.NONE < Level.DISTRESS < Level.RISK < Level.URGENT < Level.IN_PROGRESS


def test_labels_lead_there_and_back():
    assert [level.label for level in Level] == ["none", "distress", "risk", "urgent", "in_progress"]
    assert all(Level.of(level.label) is level for level in Level)
    with pytest.raises(ValueError, match="high"):
        Level.of("high")
