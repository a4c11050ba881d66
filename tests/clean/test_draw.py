"""Drawing: strata, shares, the same seed, what is decided stays, no text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaned_story import dialogue, put_cleaned, question
from psyllm.clean.draw import allocate, draw
from psyllm.clean.minors import FLAGS
from psyllm.core.errors import EmptyCorpus, MalformedInput, MissingStage
from psyllm.core.review_sample import MINOR_FLAGS, Sample, SampleItem, read_sample, sample_path


@pytest.fixture
def data(tmp_path):
    kept = [dialogue(number) for number in range(60)]
    kept += [dialogue(100 + number, flags=("level:risk",)) for number in range(20)]
    kept += [dialogue(200, flags=("level:urgent", "minor")), dialogue(201, flags=("about_minor",))]
    kept += [question(number) for number in range(10)]
    dropped = [(dialogue(300 + number), "little_chinese") for number in range(30)]
    dropped += [
        (dialogue(400), "few_turns"),
        (dialogue(401), "rejected_in_review"),
        (dialogue(1), "exact_duplicate"),
    ]
    put_cleaned(tmp_path, kept, dropped)
    return tmp_path


def test_every_stratum_gives_a_row_and_danger_gives_more_than_its_share(data):
    sample = draw(data, 40, seed=1)
    populations = {one.key: one.population for one in sample.strata}
    assert populations == {
        "kept/talks/dialogue": 60,
        "kept/talks/dialogue/risk": 20,
        "kept/talks/dialogue/urgent/minor": 1,
        "kept/talks/dialogue/minor": 1,
        "kept/asked/question": 10,
        "dropped/little_chinese": 30,
        "dropped/few_turns": 1,
    }
    counts = {key: sum(one.stratum == key for one in sample.items) for key in populations}
    assert all(counts.values())
    assert len(sample.items) == 40
    assert counts["dropped/little_chinese"] + counts["dropped/few_turns"] == 10
    assert counts["kept/talks/dialogue/risk"] / 20 > 2 * counts["kept/talks/dialogue"] / 60
    assert [one.risk for one in sample.items] == sorted((one.risk for one in sample.items), reverse=True)


def test_the_file_holds_no_word_of_a_record(data):
    sample = draw(data, 200, seed=1)
    text = sample_path(data).read_text("utf-8")
    assert len(sample.items) == 123
    assert "睡不着" not in text
    assert "考试" not in text
    assert read_sample(data) == sample


def test_the_same_seed_draws_the_same_and_a_larger_sample_holds_the_smaller(data):
    first, again = draw(data, 30, seed=5), draw(data, 30, seed=5)
    larger, other = draw(data, 60, seed=5), draw(data, 30, seed=6)
    assert first == again
    assert {one.item for one in first.items} <= {one.item for one in larger.items}
    assert {one.item for one in first.items} != {one.item for one in other.items}


def test_what_is_decided_stays_when_drawn_again_from_another_run(data):
    first = draw(data, 30, seed=5)
    decided = {one.item for one in first.items if one.id.startswith("asked:")}
    put_cleaned(data, [dialogue(number) for number in range(60)], name="cleaned-two")
    again = draw(data, 20, seed=5, decided=decided)
    kept = [one for one in again.items if one.item in decided]
    assert {one.item for one in kept} == decided
    assert {one.run for one in kept} == {"cleaned-one"}
    assert {one.run for one in again.items if one.item not in decided} == {"cleaned-two"}


def test_of_what_was_read_in_an_earlier_run_nothing_is_drawn_again_or_says_anything_of_this_one(data):
    first = draw(data, 30, seed=5)
    decided = {one.item for one in first.items if one.stratum == "kept/talks/dialogue"}
    rejected = {one.id for one in first.items if one.item in sorted(decided)[:4]}
    left = [dialogue(number) for number in range(60) if f"talks:{number}" not in rejected]
    put_cleaned(data, left, name="cleaned-two")
    again = draw(data, 20, seed=5, decided=decided)
    assert len(decided) > 4
    assert not {one.item for one in again.of_its_run()} & decided
    assert [one.population for one in again.strata] == [60 - len(decided)]
    assert len(again.of_its_run()) == 20
    assert decided < {one.item for one in again.items}
    # In the same run all that was read counts, the rejected among it.
    larger = draw(data, 40, seed=5, decided=decided | {again.of_its_run()[0].item})
    assert again.of_its_run()[0] in larger.of_its_run()


def test_nothing_to_draw_from_is_told(tmp_path):
    with pytest.raises(MissingStage):
        draw(tmp_path, 10, seed=1)
    put_cleaned(tmp_path, [])
    with pytest.raises(EmptyCorpus):
        draw(tmp_path, 10, seed=1)


def test_a_broken_sample_is_not_drawn_over(data):
    draw(data, 10, seed=1)
    sample_path(data).write_text("{", "utf-8")
    with pytest.raises(MalformedInput, match="no sample"):
        draw(data, 10, seed=1)


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ""])
def test_an_item_can_not_point_out_of_its_run(name):
    with pytest.raises(ValueError, match="pattern"):
        SampleItem(run="cleaned-one", file=name, row=0, id="a", words="b", stratum="kept")


def test_a_stratum_that_is_no_more_is_none():
    item = SampleItem(run="r", file="f", row=0, id="a", words="b", stratum="kept/gone")
    assert Sample(run="r", seed=1, strata=(), items=(item,)).stratum_of(item) is None


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 50)), min_size=1, max_size=20),
    st.integers(1, 300),
)
def test_shares_are_at_least_one_at_most_all_and_as_many_as_asked(strata, size):
    weights, populations = [weight for weight, _ in strata], [count for _, count in strata]
    given_rows = allocate(weights, populations, size)
    least = sum(min(1, count) for count in populations)
    assert all(min(1, count) <= one <= count for one, count in zip(given_rows, populations, strict=True))
    assert sum(given_rows) == max(least, min(size, sum(populations)))


def test_a_heavier_stratum_of_the_same_size_never_gets_less():
    for size in range(3, 60):
        given_rows = allocate([1.0, 2.0, 4.0], [40, 40, 40], size)
        assert all(a <= b for a, b in itertools.pairwise(given_rows))


def test_what_the_dropped_can_not_fill_goes_to_the_kept_and_the_other_way_round(tmp_path):
    many = [dialogue(number) for number in range(40)]
    put_cleaned(tmp_path, many, [(dialogue(90), "few_turns")])
    assert len(draw(tmp_path, 20, seed=1).items) == 20
    put_cleaned(tmp_path, [dialogue(90)], [(one, "few_turns") for one in many], name="cleaned-two")
    assert len(draw(tmp_path, 20, seed=1).items) == 20
    put_cleaned(tmp_path, [], [(one, "few_turns") for one in many], name="cleaned-three")
    assert len(draw(tmp_path, 20, seed=1).items) == 20


def test_the_flags_of_minors_are_those_that_cleaning_gives():
    assert frozenset(FLAGS) == MINOR_FLAGS


def test_dropped_crises_and_minors_are_strata_of_their_own_and_read_first(tmp_path):
    dropped = [(dialogue(number, flags=("level:distress",)), "few_turns") for number in range(20)]
    dropped += [(dialogue(100 + number, flags=("level:urgent",)), "near_duplicate") for number in range(3)]
    dropped += [(dialogue(200, flags=("level:distress", "minor")), "few_turns")]
    put_cleaned(tmp_path, [dialogue(300, flags=("level:risk",)), dialogue(301)], dropped)
    sample = draw(tmp_path, 8, seed=1)
    assert {one.key: one.population for one in sample.strata} == {
        "kept/talks/dialogue/risk": 1,
        "kept/talks/dialogue": 1,
        "dropped/few_turns": 20,
        "dropped/urgent/near_duplicate": 3,
        "dropped/minor/few_turns": 1,
    }
    assert sample.items[0].stratum == "dropped/urgent/near_duplicate"
    order = [one.stratum for one in sample.items if one.risk]
    assert order[-2:] == ["kept/talks/dialogue/risk", "dropped/minor/few_turns"]
