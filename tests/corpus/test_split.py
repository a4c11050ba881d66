import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.errors import BadSetting, EmptyCorpus
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.grouping import Entry, Grouping
from psyllm.corpus.split import largest_held_out, split


def grouping(sizes, kind="dialogue", may_train=True):
    entries, groups = [], []
    for number, size in enumerate(sizes):
        groups.append(list(range(len(entries), len(entries) + size)))
        entries += [Entry(f"a:{number}-{n}", kind, may_train) for n in range(size)]
    return Grouping(entries, groups)


def test_shares_are_about_what_was_asked_for():
    found = split(grouping([1] * 4000), CorpusSettings(dev_share=0.05, test_share=0.2))
    assert 160 < found.count("dev") < 240
    assert 720 < found.count("test") < 880


@given(st.lists(st.integers(1, 14), min_size=20, max_size=60), st.integers(0, 99))
def test_a_group_is_never_cut(sizes, seed):
    many = grouping(sizes)
    found = split(many, CorpusSettings(seed=seed))
    assert all(len({found[place] for place in group}) == 1 for group in many.groups)


def test_a_group_keeps_its_side_when_others_come():
    settings = CorpusSettings()
    before = split(grouping([1] * 500), settings)
    after = split(grouping([1] * 900), settings)
    assert after[:500] == before


def test_another_seed_gives_another_split():
    many = grouping([1] * 200)
    assert split(many, CorpusSettings(seed=1)) != split(many, CorpusSettings(seed=2))


@pytest.mark.parametrize("seed", range(20))
def test_small_corpora_get_a_few_questions_and_an_article_to_hold_out(seed):
    questions, articles = grouping([1] * 90, "question"), grouping([1] * 12, "document")
    both = Grouping(
        questions.entries + [entry._replace(id="b" + entry.id) for entry in articles.entries],
        questions.groups + [[90 + n] for n in range(12)],
    )
    found = split(both, CorpusSettings(seed=seed))
    for side in ("dev", "test"):
        assert found[:90].count(side) >= 3
        assert found[90:].count(side) >= 1


def test_a_very_large_group_is_trained_on():
    many = grouping([300] + [1] * 700)
    assert largest_held_out(1000, CorpusSettings()) == 10
    for seed in range(30):
        assert split(many, CorpusSettings(seed=seed))[0] == "train"


def test_what_may_not_be_trained_on_is_in_test_or_nowhere():
    free, closed = grouping([1] * 300), grouping([1] * 300, may_train=False)
    both = Grouping(
        free.entries + [entry._replace(id="b" + entry.id) for entry in closed.entries],
        free.groups + [[300 + n] for n in range(300)],
    )
    found = split(both, CorpusSettings())
    assert set(found[300:]) == {"test", None}
    assert 10 < found[300:].count("test") < 60


def test_no_dev_and_no_test_when_none_is_asked_for():
    assert set(split(grouping([1] * 50), CorpusSettings(dev_share=0, test_share=0))) == {"train"}


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(BadSetting, match=r"add up to 1\.1") as caught:
        split(grouping([1] * 9), CorpusSettings(dev_share=0.5, test_share=0.6))
    assert "--set corpus.test_share=0.1" in caught.value.next_step


def test_too_few_groups_are_an_empty_corpus():
    with pytest.raises(
        EmptyCorpus, match="30 records in 1 groups that belong together leave nothing for: dev, test"
    ):
        split(grouping([30]), CorpusSettings())


def test_nothing_that_may_be_trained_on_is_an_empty_corpus():
    with pytest.raises(EmptyCorpus, match="none of 20 records may be trained on") as caught:
        split(grouping([1] * 20, may_train=False), CorpusSettings())
    assert "licence" in caught.value.next_step
