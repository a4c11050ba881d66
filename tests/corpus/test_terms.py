import pytest

from psyllm.corpus.sources import SourceTerms
from psyllm.corpus.terms import UNKNOWN, permit, terms


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


def test_a_corpus_has_the_narrowest_use_the_earliest_end_and_shares_alike_if_one_source_asks():
    found = permit(
        {"free": ["CC0-1.0"], "wiki": ["CC-BY-SA-4.0"], "psyqa": ["by agreement"], "other": ["MIT"]},
        {
            "free": SourceTerms(),
            "wiki": SourceTerms(),
            "psyqa": SourceTerms("research", "2027-06-30", "abc"),
            "other": SourceTerms("", "2028-01-01"),
        },
    )
    assert (found.uses, found.share_alike, found.expires) == ("research", True, "2027-06-30")
    assert [row["uses"] for row in found.sources] == ["any", "any", "research", "any"]
    assert found.sources[2]["agreement"] == "abc"


@pytest.mark.parametrize(
    ("licence", "agreed", "uses"),
    [
        ("CC-BY-4.0", SourceTerms(), "any"),
        ("CC-BY-NC-4.0", SourceTerms(), "non_commercial"),
        ("CC-BY-4.0", SourceTerms("research"), "research"),
        ("by word of mouth", SourceTerms(), "unknown"),
        ("by word of mouth", SourceTerms("any"), "any"),
        ("CC0-1.0", None, "unknown"),
    ],
)
def test_what_one_source_may_be_used_for(licence, agreed, uses):
    known = {} if agreed is None else {"a": agreed}
    assert permit({"a": [licence]}, known).uses == uses


def test_no_source_permits_everything():
    assert permit({}, {}) == ("any", False, "", [])
