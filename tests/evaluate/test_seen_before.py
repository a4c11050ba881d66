"""What the package's base may have read is left out of the measuring, by fingerprints alone."""

import json

import pytest

from evaluate.world import dialogue, make_corpus, make_model, question
from psyllm.core import fingerprints
from psyllm.core.errors import EmptyCorpus
from psyllm.core.permits import BASE
from psyllm.core.rated_answers import rated_prefix, write_rated
from psyllm.core.records import read_records, write_records
from psyllm.core.settings import EvaluateSettings
from psyllm.core.stages import Manifest, Parent, Stage, StageRun, stage_folder, writing
from psyllm.evaluate.learnt_from import check_unseen, held_by, look_of
from psyllm.evaluate.questions import asked_of
from psyllm.evaluate.run import run
from psyllm.evaluate.seen_before import (
    NOTHING_SEEN,
    mark_of,
    prints_to_look_into,
    seen_before,
    seen_by_bases,
)
from rated import rated
from small_embedded import read_corpus, seat, ship_fingerprints, talk

LONG = "".join(chr(0x4E00 + 7 * place % 9000) for place in range(700))


def led(corpus, read):
    """Return a model on a corpus whose base has read another one."""
    base = Parent(stage=BASE, run="embedded", content_hash="b")
    below = {"run": "model-old", "parents": [read.as_parent().model_dump()], "base_lineage": None}
    return Manifest(
        stage="4_models",
        run="model-b",
        fingerprint="f",
        parents=(corpus.as_parent(), base),
        details={"lineage": {"base_lineage": below}},
    )


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return the manifest of a corpus elsewhere of which only fingerprints are here: it held two test records."""
    there = tmp_path / "there"
    train = [question(3, split="test"), dialogue(1, split="test"), talk("smile:1", LONG, LONG[::-1])]
    read = read_corpus(there, train, dev=[question(5, split="test")])
    ship_fingerprints(there, tmp_path / "embedded")
    seat(monkeypatch, tmp_path / "embedded")
    return read


def test_records_that_the_base_has_read_are_named_those_of_its_dev_split_by_their_question(
    tmp_path, elsewhere
):
    corpus = make_corpus(tmp_path)
    prints = prints_to_look_into([led(corpus, elsewhere)], corpus)
    assert prints == elsewhere.as_parent()
    seen = seen_before(prints, stage_folder(tmp_path, Stage.CORPUS) / corpus.run, "test")
    assert seen.base == "embedded"
    assert {"test:03", "test:05", "test:talk-01"} <= seen.ids


def test_without_such_a_base_or_on_its_own_split_nothing_is_looked_for(tmp_path, elsewhere):
    corpus = make_corpus(tmp_path)
    plain = Manifest(stage="4_models", run="m", fingerprint="f", parents=(corpus.as_parent(),))
    assert prints_to_look_into([plain], corpus) is None
    assert prints_to_look_into([led(corpus, elsewhere)], elsewhere) is None
    assert seen_before(None, tmp_path, "test") == NOTHING_SEEN
    assert mark_of(None) == {}
    assert mark_of(elsewhere.as_parent())["left_out_by"]


def test_a_base_with_fingerprints_is_no_longer_named_as_unchecked(tmp_path, elsewhere, monkeypatch):
    corpus = make_corpus(tmp_path)
    assert check_unseen([led(corpus, elsewhere)], corpus, "test", tmp_path) == []
    seat(monkeypatch, tmp_path / "no such folder")
    assert check_unseen([led(corpus, elsewhere)], corpus, "test", tmp_path) == ["corpus-read"]
    assert prints_to_look_into([led(corpus, elsewhere)], corpus) is None


def test_changed_fingerprints_are_not_trusted(tmp_path, elsewhere):
    corpus = make_corpus(tmp_path)
    path = next((tmp_path / "embedded" / "fingerprints").glob("runs-*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    assert prints_to_look_into([led(corpus, elsewhere)], corpus) is None
    assert check_unseen([led(corpus, elsewhere)], corpus, "test", tmp_path) == ["corpus-read"]


def test_a_sample_finds_long_records_with_small_changes_and_says_what_is_too_short(tmp_path, monkeypatch):
    there = tmp_path / "there"
    train = [talk("a:1", LONG, LONG[::-1])]
    read = read_corpus(there, train)
    ship_fingerprints(there, tmp_path / "embedded", sample_bits=4)
    seat(monkeypatch, tmp_path / "embedded")
    corpus_folder = tmp_path / "corpus"
    changed = "".join("改" if place % 30 == 0 else char for place, char in enumerate(LONG))
    new = LONG[1:] + LONG[350:]  # neither half opens like it
    write_records(
        [
            talk("t:1", changed, "别的话" * 3),
            talk("t:2", new, "好"),
            talk("t:3", "我很累，想休息一下再说吧。", "好"),
        ],
        corpus_folder,
        prefix="test",
    )
    seen = seen_before(read.as_parent(), corpus_folder, "test")
    assert seen.ids == {"t:1", "t:2"}
    assert seen.too_short == 1


def test_what_is_left_is_asked_and_nothing_left_is_told(tmp_path):
    corpus = make_corpus(tmp_path)
    folder = stage_folder(tmp_path, Stage.CORPUS) / corpus.run
    kept, left_out = asked_of(folder, "test", {"test:03", "test:d"})
    assert (len(kept), left_out) == (9, 1)  # nobody asks in a document
    assert "test:03" not in {question.id for question in kept}
    every = {record.id for record in read_records(folder, prefix="test")}
    with pytest.raises(EmptyCorpus, match="may have read all 10 records"):
        asked_of(folder, "test", every)


SETTINGS = EvaluateSettings(most_scored=20, most_generated=2, bootstrap_samples=20, threads=1)


def report_on(data, tiny_model, corpus, model):
    """Measure a model that says of itself what this manifest says; return the report's manifest, figures and page."""
    made = make_model(data, tiny_model, corpus.as_parent())
    path = stage_folder(data, Stage.MODELS) / made.run / "manifest.json"
    told = json.loads(path.read_text("utf-8"))
    told["parents"] = [parent.model_dump() for parent in model.parents]
    told["details"] |= model.details
    path.write_text(json.dumps(told), "utf-8")
    return report_again(data)


def report_again(data):
    report = run(SETTINGS, data)
    folder = stage_folder(data, Stage.REPORTS) / report.run
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    return report, metrics, (folder / "report.html").read_text("utf-8")


def test_the_report_says_how_many_were_left_out(tmp_path, elsewhere, tiny_model):
    corpus = make_corpus(tmp_path)
    report, metrics, page = report_on(tmp_path, tiny_model, corpus, led(corpus, elsewhere))
    assert metrics["left_out_as_read_by"] == "embedded"
    assert metrics["bases_not_checked_for_leaks"] == []
    left_out = metrics["records"]["left_out"]
    assert left_out >= 3
    assert metrics["records"]["scored"] == metrics["records"]["in_split"] - left_out
    assert f"可能读过其中 {left_out} 条" in page
    assert "无从核对" not in page
    assert report.counts["left_out"] == left_out


def test_what_a_base_learnt_from_another_corpus_of_this_folder_is_left_out_of_its_report(
    tmp_path, tiny_model
):
    corpus = make_corpus(tmp_path)
    # The same group, other words: both records of the group go.
    alike = [question(4, split="test"), question(90, split="far").model_copy(update={"group": "test:06"})]
    other = read_corpus(tmp_path, [question(3, split="test"), *alike], dev=[dialogue(1, split="test")])
    plain, metrics, _ = report_on(tmp_path, tiny_model, corpus, led(corpus, corpus))
    assert (metrics["records"]["left_out"], metrics["records"]["scored"]) == (0, 10)
    report, metrics, page = report_on(tmp_path, tiny_model, corpus, led(corpus, other))
    assert report.run != plain.run
    assert (metrics["records"]["left_out"], metrics["records"]["scored"]) == (4, 6)
    assert metrics["left_out_as_held_by_corpora"] == {"corpus-read": 4}
    assert metrics["bases_not_checked_for_leaks"] == []
    answered = (stage_folder(tmp_path, Stage.REPORTS) / report.run / "answers.jsonl").read_text("utf-8")
    assert not {json.loads(line)["id"] for line in answered.splitlines()} & {
        "test:03",
        "test:04",
        "test:06",
        "test:talk-01",
    }
    assert "可能读过其中 4 条" in page
    assert "<code>corpus-read</code> 含有 4 条" in page
    (stage_folder(tmp_path, Stage.CORPUS) / other.run / "manifest.json").unlink()
    gone, metrics, page = report_again(tmp_path)
    assert gone.run != report.run
    assert metrics["bases_not_checked_for_leaks"] == ["corpus-read"]
    assert "无从核对：<code>corpus-read</code>" in page


def test_all_records_of_one_group_are_known_again(tmp_path):
    twins = [question(place, split="test").model_copy(update={"group": "g"}) for place in (3, 4)]
    there = read_corpus(tmp_path, [question(90, split="far").model_copy(update={"group": "g"})])
    assert held_by(stage_folder(tmp_path, Stage.CORPUS) / there.run, twins) == {"test:03", "test:04"}


def test_held_out_ratings_that_a_base_has_learnt_from_do_not_count(tmp_path):
    def make(name, side, rows):
        stage_run = StageRun(tmp_path, Stage.CORPUS, name, name, (), {})
        with writing(stage_run):
            write_records([question(1, split="test")], stage_run.folder, prefix="test")
            write_rated(rows, stage_run.folder, prefix=rated_prefix(side))
            return stage_run.finish(counts={})

    rows = [rated(number, desirable=number % 2 == 0) for number in range(4)]
    read, corpus = make("corpus-read", "train", rows[:2]), make("split-abc", "test", rows)
    folder = stage_folder(tmp_path, Stage.CORPUS) / corpus.run
    seen = seen_by_bases(None, look_of(led(corpus, read), corpus, tmp_path), folder, "test")
    assert seen.ids == {row.record.id for row in rows[:2]}
    assert seen.corpora == {"corpus-read": 0}  # none of the split's own records


@pytest.mark.parametrize("harm", ["gone", "changed", "of another version"])
def test_a_report_says_which_base_it_could_not_look_into_and_is_made_anew_when_it_can(
    tmp_path, elsewhere, tiny_model, monkeypatch, harm
):
    corpus = make_corpus(tmp_path)
    whole, before, _ = report_on(tmp_path, tiny_model, corpus, led(corpus, elsewhere))
    prints = tmp_path / "embedded" / "fingerprints"
    with monkeypatch.context() as patch:
        if harm == "gone":
            seat(patch, tmp_path / "no such folder")
        elif harm == "changed":
            path = next(prints.glob("runs-*.parquet"))
            held = path.read_bytes()
            path.write_bytes(held[:-1])
        else:
            patch.setattr(fingerprints, "VERSION", 99)
        report, metrics, page = report_again(tmp_path)
    assert report.run != whole.run
    assert metrics["records"]["left_out"] == 0
    assert metrics["bases_not_checked_for_leaks"] == ["corpus-read"]
    assert "left_out_as_read_by" not in metrics
    assert "无从核对：<code>corpus-read</code>" in page
    if harm == "changed":
        path.write_bytes(held)
    _, after, page = report_again(tmp_path)
    assert after == before
    assert "无从核对" not in page


def test_a_base_of_which_nobody_knows_what_it_has_read_is_named(tmp_path, tiny_model):
    corpus = make_corpus(tmp_path)
    hub = Parent(stage=BASE, run="from-a-hub", content_hash="b")
    model = Manifest(stage="4_models", run="m", fingerprint="f", parents=(corpus.as_parent(), hub))
    _, metrics, page = report_on(tmp_path, tiny_model, corpus, model)
    assert metrics["bases_not_checked_for_leaks"] == ["from-a-hub"]
    assert "无从核对：<code>from-a-hub</code>" in page
