"""A licence is a whole name of the table, or it is read by a person."""

import pytest

from psyllm.core.licences import UNKNOWN, all_asked, shares_alike, strictness, uses_of


@pytest.mark.parametrize(
    ("licence", "uses", "alike"),
    [
        # as the hub writes them, which is SPDX's names in small letters
        ("apache-2.0", "any", False),
        ("mit", "any", False),
        ("cc-by-sa-4.0", "any", True),
        ("cc-by-nc-4.0", "non_commercial", False),
        ("CC-BY-NC-SA-4.0", "non_commercial", True),
        ("apache-2.0 AND cc-by-nc-4.0", "non_commercial", False),
        ("llama3.1", "unknown", False),
        ("other", "unknown", False),
        ("openrail", "unknown", False),
        ("not stated", "unknown", False),
        ("", "unknown", False),
    ],
)
def test_what_a_licence_permits(licence, uses, alike):
    assert (uses_of(licence), shares_alike(licence)) == (uses, alike)


def test_an_unknown_licence_is_stricter_than_every_known_one_and_must_be_read():
    known = ["CC0-1.0", "MIT", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0"]
    assert sorted(known, key=strictness) == known
    assert strictness("qwen") > max(map(strictness, known))
    assert all_asked("qwen") == UNKNOWN
    assert all_asked("CC0-1.0") == "nothing"
