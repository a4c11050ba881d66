import pytest

from psyllm.corpus.terms import UNKNOWN, terms


def test_the_strictest_licence_comes_first_and_each_comes_once():
    found = terms(["CC0-1.0", "CC-BY-SA-4.0", "MIT", "CC-BY-4.0", "CC-BY-NC-ND-4.0", "MIT"])
    assert [term.licence for term in found] == [
        "CC-BY-NC-ND-4.0",
        "CC-BY-SA-4.0",
        "CC-BY-4.0",
        "MIT",
        "CC0-1.0",
    ]


@pytest.mark.parametrize("licence", ["research only, signed agreement", "cc", "CC-BY", ""])
def test_what_is_not_known_counts_as_the_strictest(licence):
    first, *_ = terms(["CC-BY-NC-ND-4.0", licence])
    assert first == (licence, UNKNOWN)


@pytest.mark.parametrize(
    ("licence", "asks"),
    [
        ("cc-by-4.0", "name the authors"),
        ("CC-BY-SA-3.0", "name the authors, share under the same terms"),
        ("CC-BY-NC-4.0", "name the authors, no commercial use"),
        ("CC-BY-NC-SA-4.0", "name the authors, no commercial use, share under the same terms"),
        ("GPL-3.0-only", "name the authors, share under the same terms"),
        ("Apache-2.0", "keep the notice"),
    ],
)
def test_what_a_licence_asks(licence, asks):
    assert terms([licence])[0].asks == asks
