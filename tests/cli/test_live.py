"""What a terminal shows of a training: a panel where it fits, bars elsewhere, and what is kept at Ctrl-C."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from psyllm.cli import show
from psyllm.cli.live import STEPS_OF_HEIGHT, StageSeen, fits, panel, sparkline, stage_of
from psyllm.core.progress import Progress, report

TASK = "training: answer"


def told(done, doing="training", total=400, **figures):
    return Progress(TASK, done, total, figures=figures, doing=doing)


def seen(*reports):
    stage = StageSeen("answer")
    for one in reports:
        stage.take(one)
    return stage


def drawn(stage, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(panel(stage))
    return console.file.getvalue()


def test_the_panel_says_where_the_training_is_and_what_is_kept():
    stage = seen(
        told(120, tokens_per_s=2110.4, processor_share=0.41, process_bytes=900 * 2**20, left_s=3725),
        told(120, loss=3.8123, tokens=1e6),
        told(120, dev_loss=4.0214, best_step=80),
        told(120, "saving a checkpoint", saved_step=120),
    )
    picture = drawn(stage)
    for words in (
        "training: answer",
        "120",
        "of 400",
        "3.812",
        "4.021",
        "best at 80",
        "2,110 tokens/s, 41 % of this processor's matmul peak",
        "900 MiB in this process",
        "1:02:05 for this stage",
        "saving a checkpoint",
        "checkpoint of step 120",
    ):
        assert words in picture, words


def test_a_card_has_its_mfu_and_its_memory():
    picture = drawn(seen(told(1, tokens_per_s=99_000, mfu=0.47, card_bytes=20 * 2**30)))
    assert "99,000 tokens/s, 47 % MFU" in picture
    assert "20,480 MiB of the card" in picture


@pytest.mark.parametrize("width", [72, 100, 200])
def test_no_line_of_the_panel_is_wider_than_the_terminal(width):
    stage = seen(
        *(told(n, loss=5.0 - n / 400, tokens_per_s=1e6, processor_share=0.5, left_s=9e5) for n in range(200))
    )
    assert max(map(len, drawn(stage, width).splitlines())) <= min(width, 100)
    assert "no checkpoint yet" in drawn(stage, width)


def test_nothing_is_drawn_before_something_is_known():
    assert "–" in drawn(seen(told(0, "starting")))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.integers(1, 40))
def test_a_curve_is_never_wider_than_asked(values, width):
    curve = sparkline(values, width)
    assert len(curve) <= width
    assert set(curve) <= set(STEPS_OF_HEIGHT)


def test_a_curve_falls_where_the_values_fall():
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8) == STEPS_OF_HEIGHT[::-1]
    assert sparkline([2, 2], 8) == STEPS_OF_HEIGHT[0] * 2
    assert sparkline([], 8) == ""


def test_what_is_kept_is_the_last_checkpoint_or_that_of_an_earlier_process():
    assert seen(told(5)).kept() == (
        "the answer stage stopped at step 5 of 400; it has no checkpoint yet and will begin anew"
    )
    assert "its checkpoint of step 40 is kept" in seen(told(40, "starting"), told(45)).kept()
    assert "its checkpoint of step 60 is kept" in seen(told(60, saved_step=60), told(65)).kept()


def test_only_reports_of_training_belong_to_a_stage():
    assert stage_of(told(1)) == "answer"
    assert stage_of(Progress("training the tokenizer", 0, None)) is None


def console(**named):
    wanted = {
        "file": io.StringIO(),
        "width": 100,
        "height": 40,
        "force_terminal": True,
        "color_system": "256",
    }
    return Console(**wanted | named)


def test_the_panel_fits_a_wide_terminal_with_colours_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert fits(console())
    assert not fits(console(width=60))
    assert not fits(console(height=10))
    assert not fits(console(force_terminal=False))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not fits(console())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not fits(console())


def test_without_a_terminal_training_is_a_bar_as_all_else_and_ctrl_c_says_what_is_kept(capsys):
    def work():
        with show.progress_bars():
            report("reading train", 3, 3)
            report(TASK, 20, 400, "loss 4.10, 900 tokens/s", figures={"saved_step": 20}, doing="training")
            report(TASK, 21, 400, doing="measuring the dev loss")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    said = capsys.readouterr().err
    assert "reading train" in said
    assert "training: answer" in said
    assert "loss 4.10, 900 tokens/s" in said
    assert "╭" not in said
    assert "the answer stage stopped at step 21 of 400; its checkpoint of step 20 is kept" in said


def test_on_a_terminal_training_is_a_panel_and_other_work_keeps_its_bars():
    screen = console()
    listener = show._Listener(screen)
    listener(Progress("reading train", 3, 3))
    listener(told(20, loss=4.1))
    listener.stop()
    listener.stop()
    picture = screen.file.getvalue()
    assert "reading train" in picture
    assert "╭" in picture
    assert "4.100" in picture
