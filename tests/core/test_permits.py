"""What is not said is unknown, and together the strictest counts."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.errors import MissingStage
from psyllm.core.permits import (
    FROM_FREE_TO_STRICT,
    Permit,
    permit_of_base,
    permit_of_model,
    read_permit,
    refuse_ended,
    strictest,
    together,
)
from psyllm.core.stages import Manifest, Parent

FREE = {"uses": "any", "share_alike": False, "expires": "", "sources": []}
BOUND = {**FREE, "uses": "research", "expires": "2027-06-30"}

permits = st.builds(
    Permit,
    uses=st.sampled_from(FROM_FREE_TO_STRICT),
    share_alike=st.booleans(),
    expires=st.sampled_from(["", "2026-12-31", "2027-06-30"]),
    sources=st.lists(st.fixed_dictionaries({"source": st.sampled_from("ab")}), max_size=2, unique_by=str),
)


@given(permits, permits)
def test_together_nothing_is_freer_than_any_part(one, other):
    both = together([one, other])
    assert both.uses == strictest([one.uses, other.uses])
    assert FROM_FREE_TO_STRICT.index(both.uses) >= FROM_FREE_TO_STRICT.index(one.uses)
    assert both.share_alike == (one.share_alike or other.share_alike)
    assert (both.expires or "9999") == min(each.expires or "9999" for each in (one, other))
    assert together([both, one, other]) == both
    assert all(row in both.sources for row in (*one.sources, *other.sources))


def test_a_permit_comes_back_as_it_was_written():
    row = dict.fromkeys(("source", "licence", "uses", "expires", "agreement"), "x")
    permit = Permit(uses="research", share_alike=True, expires="2027-06-30", sources=[row])
    assert read_permit(permit._asdict(), "c") == permit


@pytest.mark.parametrize(
    "said",
    [None, "any", {}, {"uses": "everything"}, {**FREE, "expires": "soon"}, {"uses": None, "sources": 3}],
)
def test_what_is_not_said_or_can_not_be_read_is_unknown(said):
    found = read_permit(said, "corpus c")
    assert (found.uses, found.expires) == ("unknown", "")


def test_a_base_of_a_base_binds_however_deep_and_one_without_a_card_is_unknown():
    bound = {"permit": FREE, "base": "a", "base_lineage": {"permit": BOUND, "base": ""}}
    assert permit_of_base({"permit": FREE, "base": "b", "base_lineage": bound}, "c")[:3] == (
        "research",
        False,
        "2027-06-30",
    )
    bare = permit_of_base({"permit": FREE, "base": "gpt2", "base_lineage": None}, "c")
    assert bare.uses == "unknown"
    assert [row["source"] for row in bare.sources] == ["base gpt2"]
    assert permit_of_base({"permit": FREE, "base": "", "base_lineage": None}, "c").uses == "any"


def test_a_model_without_a_permit_or_with_a_silent_base_is_unknown():
    model = Manifest(stage="4_models", run="m", fingerprint="f", details={"lineage": {"permit": FREE}})
    assert permit_of_model(model).uses == "any"
    based = model.model_copy(update={"parents": (Parent(stage="base", run="x", content_hash="y"),)})
    assert permit_of_model(based).uses == "unknown"
    assert permit_of_model(model.model_copy(update={"details": {}})).uses == "unknown"


def test_the_last_day_is_still_good_and_the_next_is_refused():
    permit = read_permit(BOUND, "c")
    refuse_ended(permit, "corpus c", "do", dt.date(2027, 6, 30))
    with pytest.raises(MissingStage, match="corpus c rests on a source whose agreement ended on 2027-06-30"):
        refuse_ended(permit, "corpus c", "do", dt.date(2027, 7, 1))


def test_a_published_base_is_bound_by_its_licence_and_so_is_what_is_made_of_that_in_turn():
    lineage = {"permit": FREE, "base": "x", "base_lineage": None, "base_permit": BOUND}
    parents = (Parent(stage="base", run="x", content_hash="y"),)
    model = Manifest(
        stage="4_models", run="m", fingerprint="f", parents=parents, details={"lineage": lineage}
    )
    next_one = {"permit": FREE, "base": "m", "base_lineage": lineage}
    for permit in (permit_of_model(model), permit_of_base(lineage, "m"), permit_of_base(next_one, "n")):
        assert permit[:3] == ("research", False, "2027-06-30")
    free = {**lineage, "base_permit": FREE}
    assert permit_of_base({**next_one, "base_lineage": free}, "n").uses == "any"
    assert permit_of_base({**lineage, "base_permit": None}, "m").uses == "unknown"
