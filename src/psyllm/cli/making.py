"""The commands from cleaning to feedback, but training: one room each, settings in, a manifest shown."""

from __future__ import annotations

from functools import partial

from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out


def clean(data: Data = DATA, preset: Preset = None, config: Config = None, set_: Set = None) -> None:
    """2 Records are mended or dropped with a reason: data/2_cleaned."""
    from psyllm.clean.run import run

    carry_out(run, settings_from(preset, config, set_).clean, data)


def corpus(data: Data = DATA, preset: Preset = None, config: Config = None, set_: Set = None) -> None:
    """3 Records are split without leaks and described by a card: data/3_corpus."""
    from psyllm.corpus.run import run

    carry_out(run, settings_from(preset, config, set_).corpus, data)


def evaluate(data: Data = DATA, preset: Preset = None, config: Config = None, set_: Set = None) -> None:
    """5 The model in use is measured on the test split: data/5_reports."""
    from psyllm.evaluate.run import run

    carry_out(run, settings_from(preset, config, set_).evaluate, data)


def feedback(data: Data = DATA, preset: Preset = None, config: Config = None, set_: Set = None) -> None:
    """6 Consented ratings and counsellors' answers become records: data/6_feedback."""
    from psyllm.corpus.refresh import refresh
    from psyllm.feedback.run import run

    settings = settings_from(preset, config, set_)
    door = partial(run, database=settings.serve.database, remake=refresh)
    carry_out(door, settings.feedback, data)
