"""Rated answers go with everything else: by what is forgotten, and by what is allowed no more, down to the bytes."""

import pytest

from forgotten_story import SECRET, balanced, collected, holds, question
from psyllm.clean.run import run as clean
from psyllm.core.forgetting import containing, forget, marks_of
from psyllm.core.rated_answers import RATINGS, read_rated, write_rated
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, StageRun, current_run, locked, read_manifest, writing
from psyllm.core.tombstones import read_tombstones
from psyllm.core.withdrawing import withdraw
from psyllm.corpus.refresh import refresh
from psyllm.corpus.run import run as corpus
from rated import rated

MINE = rated(7, desirable=False, asked=SECRET + "，想起来就难受，总是睡不好")
ALSO_MINE = rated(8, conversation=7, asked=SECRET + "，想起来就难受，总是睡不好")


def given_back(data, rows):
    with writing(StageRun(data, Stage.FEEDBACK, "casebook", "mark", (), {}), beside=True) as stage_run:
        write_rated(rows, stage_run.folder)
        stage_run.finish(counts={"records": 0, RATINGS: len(rows)})


@pytest.fixture
def data(tmp_path):
    """Ratings of several people through feedback, cleaning and a corpus, a model made from it."""
    home = tmp_path / "data"
    collected(home, [question(number) for number in range(40)])
    given_back(home, [MINE, ALSO_MINE, *(rated(n, desirable=n % 2 == 0) for n in range(100, 112))])
    clean(CleanSettings(), home)
    corpus(CorpusSettings(), home)
    run = current_run(home, Stage.CORPUS)
    parents = (read_manifest(run).as_parent(),)
    with writing(StageRun(home, Stage.MODELS, "m", "mark", parents, {})) as stage_run:
        stage_run.finish(counts={})
    with writing(StageRun(home, Stage.REPORTS, "r", "mark", parents, {})) as stage_run:
        stage_run.finish(counts={})
    for stage in (Stage.CLEANED, Stage.CORPUS):
        assert holds(current_run(home, stage), SECRET)
    return home


def kept(data, stage):
    folder = current_run(data, stage)
    prefixes = ("ratings",) if stage is Stage.CLEANED else ("ratings-train", "ratings-dev", "ratings-test")
    return [row for prefix in prefixes for row in read_rated(folder, prefix=prefix)]


def test_a_passage_names_the_rated_answers_too(data):
    found = {content for _, content in containing(data, SECRET)}
    assert {MINE.record.content_hash, ALSO_MINE.record.content_hash} <= found


def test_what_is_forgotten_is_in_no_byte_of_any_stage_and_the_counts_are_right(data):
    done = forget(data, marks_of((), (), [MINE.record.content_hash]), remake=refresh)
    assert not holds(data, SECRET)
    assert (done.models, done.removed) == (("m",), ("5_reports/r",))
    manifests = {one.stage: one for one in balanced(data)}
    feedback = read_manifest(data / "6_feedback" / "casebook")
    assert feedback.counts[RATINGS] == 12
    assert manifests["2_cleaned"].counts[RATINGS] == len(kept(data, Stage.CLEANED)) == 12
    assert manifests["3_corpus"].counts[RATINGS] == len(kept(data, Stage.CORPUS)) == 12
    given_back(data, [MINE, rated(500)])
    again = clean(CleanSettings(), data)
    assert again.details[RATINGS]["left_out"] == {"forgotten": 1}


def test_what_nobody_allows_any_more_goes_from_all_that_was_made_and_may_come_back(data):
    gone = withdraw(data, frozenset({MINE.record.id}), refresh)
    assert (gone.rows, gone.models) == (4, ("m",))
    for stage in ("2_cleaned", "3_corpus", "5_reports"):
        assert not holds(data / stage, SECRET)
    assert read_tombstones(data).is_empty
    manifests = {one.stage: one for one in balanced(data)}
    assert manifests["3_corpus"].counts[RATINGS] == 12
    assert (current_run(data, Stage.CORPUS) / "fingerprints").is_dir()
    assert not (data / "5_reports" / "r").exists()
    assert withdraw(data, frozenset({MINE.record.id}), refresh).rows == 0


def test_a_training_that_runs_does_not_hold_it_up(data):
    with locked(data, Stage.MODELS):
        assert withdraw(data, frozenset({MINE.record.id})).models == ("m",)
    assert not holds(data / "3_corpus", SECRET)


def test_of_nothing_nothing_goes(tmp_path, data):
    before = read_manifest(current_run(data, Stage.CORPUS))
    assert withdraw(data, frozenset(), refresh) == (0, ())
    assert withdraw(tmp_path / "none", frozenset({"a"})) == (0, ())
    assert withdraw(data, frozenset({"casebook:other"}), refresh) == (0, ())
    assert read_manifest(current_run(data, Stage.CORPUS)) == before
