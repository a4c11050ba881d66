"""Progress reaches the listener of the block and nobody else."""

from psyllm.core.progress import listening, overhearing, report, track


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


def test_who_overhears_is_told_first_and_the_listener_after():
    heard = []
    with (
        listening(lambda progress: heard.append(("outer", progress.done))),
        overhearing(lambda progress: heard.append(("inner", progress.done))),
    ):
        report("work", 1)
    assert heard == [("inner", 1), ("outer", 1)]
    with overhearing(lambda progress: heard.append(("alone", progress.done))):
        report("work", 2)
    assert heard[-1] == ("alone", 2)


def test_figures_and_what_is_done_travel_with_a_report():
    heard = []
    with listening(heard.append):
        report("work", 1, 2, figures={"loss": 3.5}, doing="saving")
        report("work", 2, 2)
    assert (dict(heard[0].figures), heard[0].doing) == ({"loss": 3.5}, "saving")
    assert (dict(heard[1].figures), heard[1].doing) == ({}, "")
