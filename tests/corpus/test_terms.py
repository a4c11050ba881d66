import pytest

from psyllm.core.licences import UNKNOWN
from psyllm.corpus.sources import SourceTerms
from psyllm.corpus.terms import permit, terms


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
    "licence",
    [
        "UNLICENSED",
        "Unlicensed, all rights reserved",
        "Apache-2.0 AND PsyQA agreement",
        "MIT (code); data: research only",
        "MIT-0, no training",
        "MITRE terms",
        "ISCAS internal",
        "CC-BY-4.0 with other words",
        "GPL-2.0-only WITH Classpath-exception-2.0",
    ],
)
def test_words_that_begin_or_go_on_as_a_free_licence_are_not_one(licence):
    assert terms([licence])[0].asks.startswith(UNKNOWN)
    assert permit({"a": [licence]}, {"a": SourceTerms()}).uses == "unknown"
    assert permit({"a": [licence]}, {"a": SourceTerms("any")}).uses == "unknown"


@pytest.mark.parametrize(
    ("licence", "uses", "share_alike"),
    [
        ("CC0-1.0 AND CC-BY-NC-4.0", "non_commercial", False),
        ("CC-BY-4.0 AND CC-BY-NC-SA-4.0", "non_commercial", True),
        ("CC-BY-SA-4.0 and CC-BY-NC-4.0", "non_commercial", True),
        ("(MIT OR CC-BY-NC-4.0)", "non_commercial", False),
        ("MIT OR Apache-2.0", "any", False),
    ],
)
def test_of_joined_licences_the_strictest_counts(licence, uses, share_alike):
    found = permit({"a": [licence]}, {"a": SourceTerms()})
    assert (found.uses, found.share_alike) == (uses, share_alike)


def test_what_joined_licences_ask_is_all_said():
    assert terms(["CC0-1.0 AND MIT"])[0].asks == "keep the notice"
    assert terms(["MIT AND word of mouth"])[0].asks == f"{UNKNOWN}; keep the notice"


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
        ("by word of mouth", SourceTerms("research"), "research"),
        ("by word of mouth", SourceTerms("any"), "unknown"),
        ("by word of mouth", SourceTerms("any", "", "f" * 64), "any"),
        ("CC-BY-NC-4.0", SourceTerms("any"), "non_commercial"),
        ("CC-BY-NC-4.0", SourceTerms("any", "", "f" * 64), "any"),
        ("CC0-1.0", None, "unknown"),
    ],
)
def test_what_one_source_may_be_used_for(licence, agreed, uses):
    known = {} if agreed is None else {"a": agreed}
    assert permit({"a": [licence]}, known).uses == uses


def test_no_source_permits_everything():
    assert permit({}, {}) == ("any", False, "", [])
