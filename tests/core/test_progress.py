"""Progress reaches the listener of the block and nobody else."""

from psyllm.core.progress import listening, report, track


def test_every_item_is_reported_with_the_total():
    heard = []
    with listening(heard.append):
        assert list(track("ab", "work", 2)) == ["a", "b"]
    assert [(p.task, p.done, p.total) for p in heard] == [
        ("work", 0, 2),
        ("work", 1, 2),
        ("work", 2, 2),
        ("work", 2, 2),
    ]


def test_without_a_listener_nothing_happens():
    report("work", 1, 2)
    assert list(track([1], "work")) == [1]


def test_the_inner_listener_wins_and_the_outer_comes_back():
    outer, inner = [], []
    with listening(outer.append):
        with listening(inner.append):
            report("in", 1)
        report("out", 1)
    assert [p.task for p in inner] == ["in"]
    assert [p.task for p in outer] == ["out"]
