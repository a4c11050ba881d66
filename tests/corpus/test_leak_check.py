import json
import shutil
import tomllib

import numpy as np
import pytest

from hardship import no_space
from made_up import dialogues, write_lines
from psyllm.clean.run import run as clean
from psyllm.collect.run import run as collect
from psyllm.core import embedded
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import BadInput, DiskFull, MissingStage
from psyllm.core.fingerprints import read_index, read_openings, read_runs, shortened
from psyllm.core.records import Record, read_records, write_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Parent, Stage, StageRun, current_run, need_current, writing
from psyllm.corpus import fingerprints
from psyllm.corpus.leak_check import check, origins_of_corpus, origins_of_model
from psyllm.corpus.lineage import LINEAGE, Origins, derived_from
from psyllm.corpus.run import run
from psyllm.text.han import han_count
from psyllm.text.han_windows import han_texts, windows

SHARE = 0.1
OURS = "our own questions"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a data folder with a corpus of two sources."""
    data = tmp_path_factory.mktemp("leaks") / "data"
    for name, seed in (("smilechat", 1), ("wiki", 2)):
        path = write_lines(dialogues(60, seed=seed), data.parent / f"{name}.input")
        own = name == "wiki"
        collect(CollectSettings(path=path, name=name, licence="CC0-1.0", own_work=own), data)
    clean(CleanSettings(), data)
    run(CorpusSettings(), data)
    return data


def trained_on(data):
    return list(read_records(current_run(data, Stage.CORPUS), prefix="train"))


def asked(tmp_path, values, name="measured"):
    return write_lines(values, tmp_path / f"{name}.jsonl")


def model(data, parents, **lineage):
    stage_run = StageRun(data, Stage.MODELS, "model-1", "m", parents, {})
    with writing(stage_run):
        (stage_run.folder / "x").write_text("x", "utf-8")
        return stage_run.finish(counts={}, details={"lineage": lineage} if lineage else {})


def test_fingerprints_hold_every_run_of_each_source_once_and_no_text(made):
    folder = current_run(made, Stage.CORPUS)
    index = read_index(folder)
    records = trained_on(made)
    for source in ("smilechat", "wiki"):
        texts = [text for record in records if record.source == source for text in record.texts()]
        expected = np.unique(shortened(windows(han_texts(texts), 13).hashes))
        kept = np.concatenate(list(read_runs(folder, source)))
        assert kept.tolist() == expected.tolist()
        assert index[source]["runs"] == len(expected)
        assert len(read_openings(folder, source)[1]) == index[source]["openings"] > 40
    raw = b"".join(path.read_bytes() for path in (folder / "fingerprints").iterdir())
    assert records[0].opening()[:14].encode() not in raw
    assert not list((folder / "fingerprints").glob("*.work"))


def test_little_memory_at_a_time_gives_the_same_files(made, monkeypatch):
    before = {
        path.name: path.read_bytes() for path in (current_run(made, Stage.CORPUS) / "fingerprints").iterdir()
    }
    monkeypatch.setattr(fingerprints, "_RUNS_AT_ONCE", 1000)
    folder = current_run(made, Stage.CORPUS)
    target = made.parent / "again"
    target.mkdir()
    prints = fingerprints.OpeningPrints(14)
    for record in trained_on(made):
        prints.add(record)
    fingerprints.write_fingerprints(target, sorted(folder.glob("train-*.parquet")), prints, 14)
    assert {path.name: path.read_bytes() for path in (target / "fingerprints").iterdir()} == before


def test_what_was_trained_on_is_found_by_source_and_what_was_not_is_not(made, tmp_path):
    records = trained_on(made)
    known = [{"question": record.opening()} for record in records if record.source == "wiki"][:7]
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    origins = origins_of_corpus(*need_current(made, Stage.CORPUS))
    report = check(asked(tmp_path, [*known, *new]), origins, SHARE, OURS)
    assert (report.items, report.leaked) == (27, 7)
    found = {leak.source: leak for leak in report.sources}
    assert (found["wiki"].sharing, found["wiki"].same_opening) == (7, 7)
    assert (found["smilechat"].sharing, found["smilechat"].same_opening) == (0, 0)
    assert report.verdict == "7 of 27 items are known"


def test_no_leak_is_a_number_only_when_everything_is_known(made, tmp_path):
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    origins = origins_of_corpus(*need_current(made, Stage.CORPUS))
    assert check(asked(tmp_path, new), origins, SHARE, OURS).verdict == "0 of 20 items are known"
    unknown = check(asked(tmp_path, new), Origins(origins.corpora, ["base x has none"]), SHARE, OURS)
    assert unknown.verdict == "leak unknown: base x has none"
    nothing = check(asked(tmp_path, new), Origins([], []), SHARE)
    assert nothing.verdict == "leak unknown: nothing says what was trained on"


def test_data_that_grow_out_of_what_is_measured_make_a_leak_likely_without_any_shared_run(made, tmp_path):
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    origins = origins_of_corpus(*need_current(made, Stage.CORPUS))
    report = check(asked(tmp_path, new, "PsyQA_test"), origins, SHARE)
    assert report.verdict == "leak likely: smilechat is derived from psyqa; 0 of 20 items are known"
    by_name = check(asked(tmp_path, new, "questions"), origins, SHARE, name="psyqa")
    assert by_name.verdict == report.verdict


def test_the_folder_s_name_tells_of_what_items_are_and_where_none_does_it_is_unknown(made, tmp_path):
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    origins = origins_of_corpus(*need_current(made, Stage.CORPUS))
    (tmp_path / "PsyQA" / "data").mkdir(parents=True)
    in_its_folder = check(asked(tmp_path / "PsyQA" / "data", new, "test"), origins, SHARE)
    assert in_its_folder.verdict == "leak likely: smilechat is derived from psyqa; 0 of 20 items are known"
    nowhere = check(asked(tmp_path, new, "test"), origins, SHARE)
    assert nowhere.verdict.startswith("leak unknown: smilechat may grow out of psyqa, and no name says")
    assert "0 of" not in nowhere.verdict
    assert len(nowhere.unknown) == 1


@pytest.mark.parametrize("harm", ["gone", "changed", "index"])
def test_fingerprints_that_are_gone_or_changed_are_unknown_and_no_zero(made, tmp_path, harm):
    corpus, manifest = need_current(made, Stage.CORPUS)
    folder = tmp_path / corpus.name
    shutil.copytree(corpus, folder)
    known = asked(tmp_path, [{"question": record.opening()} for record in trained_on(made)[:5]])
    assert check(known, Origins([folder], []), SHARE, OURS).verdict == "5 of 5 items are known"
    for path in (folder / "fingerprints").iterdir():
        if harm == "gone" and path.suffix == ".parquet":
            path.unlink()
        elif harm == "changed" and path.name == "runs-smilechat.parquet":
            path.write_bytes((folder / "fingerprints" / "runs-wiki.parquet").read_bytes())
        elif harm == "index" and path.suffix == ".json":
            index = json.loads(path.read_text("utf-8"))
            path.write_text(json.dumps({**index, "sources": {}}), "utf-8")
    report = check(known, origins_of_corpus(folder, manifest), SHARE, OURS)
    assert report.verdict.startswith("leak unknown: ")
    lost = {"gone": ["smilechat", "wiki"], "changed": ["smilechat"], "index": []}[harm]
    assert [name for name in ("smilechat", "wiki") if f"of {name} in" in report.verdict] == lost
    assert not {leak.source for leak in report.sources} & set(lost)


def test_a_derivation_is_known_with_its_source():
    rows = tomllib.loads(LINEAGE.read_text("utf-8"))["derivations"]
    assert all(row["source"] for row in rows)
    assert derived_from("smilechat-2024", "psyqa").certain
    assert not derived_from("SoulChatCorpus", "PsyQA_full").certain
    assert derived_from("wiki", "psyqa") is None
    assert derived_from("smilechat", "our_test") is None


def test_a_model_inherits_what_its_corpus_held(made, tmp_path):
    corpus = need_current(made, Stage.CORPUS)[1]
    model(made, (corpus.as_parent(),))
    known = [{"question": record.opening()} for record in trained_on(made)[:5]]
    report = check(asked(tmp_path, known), origins_of_model("current", made), SHARE, OURS)
    assert report.verdict == "5 of 5 items are known"
    with pytest.raises(MissingStage, match="there is no model other; there are: model-1"):
        origins_of_model("other", made)


def test_a_base_from_elsewhere_makes_it_unknown(made, tmp_path):
    corpus = need_current(made, Stage.CORPUS)[1]
    base = Parent(stage="base", run="qwen", content_hash="b")
    known = [{"question": record.opening()} for record in trained_on(made)[:5]]
    model(made, (corpus.as_parent(), base))
    report = check(asked(tmp_path, known), origins_of_model("model-1", made), SHARE, OURS)
    assert report.verdict == (
        "leak unknown: base qwen was trained elsewhere and has no fingerprints; at least 5 of 5 items are known"
    )


def test_a_base_that_was_trained_here_is_known_through_its_own_corpus(made, tmp_path):
    corpus = need_current(made, Stage.CORPUS)[1]
    base = Parent(stage="base", run="model", content_hash="b")
    model(made, (base,), base_lineage={"parents": [corpus.as_parent().model_dump()]})
    known = [{"question": record.opening()} for record in trained_on(made)[:5]]
    report = check(asked(tmp_path, known), origins_of_model("model-1", made), SHARE, OURS)
    assert report.verdict == "5 of 5 items are known"


def test_a_source_under_a_name_that_nobody_knows_is_unknown_whatever_the_counts(tmp_path):
    data = tmp_path / "data"
    for name, own in (("clinic2024", False), ("ours", True)):
        path = write_lines(dialogues(40, seed=len(name)), tmp_path / f"{name}.input")
        collect(CollectSettings(path=path, name=name, licence="CC0-1.0", own_work=own), data)
    collect(CollectSettings(), data)
    clean(CleanSettings(), data)
    manifest = run(CorpusSettings(), data)
    assert manifest.details["own_work"] == ["ours", "starter"]
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    origins = origins_of_corpus(*need_current(data, Stage.CORPUS))
    for name in ("", "psyqa", OURS):
        report = check(asked(tmp_path, new, "PsyQA_test"), origins, SHARE, name)
        assert report.unknown == [
            "nothing says what clinic2024 was made from (--own-work of an import says: nothing)"
        ]
        assert report.verdict.startswith("leak unknown: nothing says what clinic2024")


def test_a_corpus_that_is_gone_or_has_no_fingerprints_is_unknown(made, tmp_path):
    new = asked(tmp_path, [{"question": "我最近总是睡不着，躺下就想着白天的事情，怎么办？"}])
    model(made, (Parent(stage="3_corpus", run="corpus-gone", content_hash="c"),))
    gone = check(new, origins_of_model("model-1", made), SHARE)
    assert gone.verdict == "leak unknown: corpus corpus-gone is not there any more"
    folder, manifest = need_current(made, Stage.CORPUS)
    bare = manifest.model_copy(update={"files": {"train-00000.parquet": "x"}})
    assert check(new, origins_of_corpus(folder, bare), SHARE).verdict.startswith("leak unknown: corpus")
    (tmp_path / "fingerprints").mkdir()
    (tmp_path / "fingerprints" / "fingerprints.json").write_text(json.dumps({"version": 0}), "utf-8")
    assert "of this version" in check(new, Origins([tmp_path], []), SHARE).verdict


def test_sources_with_other_names_do_not_meet_in_one_file(tmp_path):
    prints = fingerprints.OpeningPrints(3)
    for source in ("我的", "他的", "a b"):
        prints.add(Record(id="x:1", kind="dialogue", group="x", source=source, licence="x", turns=()))
        prints.add(
            Record(
                id="x:2",
                kind="question",
                group="x",
                source=source,
                licence="x",
                title="怎么办才好呢" + source,
            )
        )
    fingerprints.write_fingerprints(tmp_path, [], prints, 3)
    assert len(list((tmp_path / "fingerprints").glob("openings-*.parquet"))) == 3


def test_a_sample_goes_with_a_model_and_finds_what_the_whole_finds(made, tmp_path, monkeypatch):
    corpus, manifest = need_current(made, Stage.CORPUS)
    sizes = fingerprints.write_sample(corpus, manifest, tmp_path / "shipped", 2)
    assert set(sizes) > {"fingerprints.json", "runs-wiki.parquet"}
    whole = {source: np.concatenate(list(read_runs(corpus, source))) for source in ("smilechat", "wiki")}
    for source, runs in whole.items():
        kept = np.concatenate(list(read_runs(tmp_path / "shipped", source, 2)))
        assert kept.tolist() == [run for run in runs.tolist() if not run >> 24 & 3]
        assert 0.15 < len(kept) / len(runs) < 0.35
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "shipped")
    known = [{"question": "\n".join(record.texts())} for record in trained_on(made)[:7]]
    new = [{"question": value["dialog"][0]["content"]} for value in dialogues(20, seed=77)]
    report = check(asked(tmp_path, [*known, *new]), origins_of_model("embedded", made), SHARE, OURS)
    assert report.leaked == 7
    thin = [words for words in report.unknown if "too short for a sample of one run in 4" in words]
    assert len(thin) == (1 if report.unknown else 0)
    # a model made from it, where its corpus is not
    gone = manifest.as_parent()
    below = {"parents": [gone.model_dump()]}
    base = Parent(stage="base", run="embedded", content_hash="b")
    elsewhere = tmp_path / "elsewhere"
    model(elsewhere, (base,), base_lineage=below)
    again = check(asked(tmp_path, known), origins_of_model("current", elsewhere), SHARE, OURS)
    assert again.leaked == 7
    # and one into which an adapter from elsewhere was merged before that
    merged = {"parents": [base.model_dump()], "unknown": ["foreign"], "base_lineage": below}
    model(tmp_path / "merged", (base,), base_lineage=merged)
    said = check(asked(tmp_path, known), origins_of_model("current", tmp_path / "merged"), SHARE, OURS)
    assert said.leaked == 7
    assert "adapter foreign was trained elsewhere and has no fingerprints" in said.unknown
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "none")
    lost = check(asked(tmp_path, known), origins_of_model("current", elsewhere), SHARE, OURS)
    assert lost.verdict == f"leak unknown: corpus {gone.run} is not there any more"
    with pytest.raises(MissingStage, match="there is no model embedded"):
        origins_of_model("embedded", made)


def test_a_dev_question_opens_as_something_seen(made, tmp_path, monkeypatch):
    corpus, manifest = need_current(made, Stage.CORPUS)
    fingerprints.write_sample(corpus, manifest, tmp_path / "shipped", 4)
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "shipped")
    dev = [record for record in read_records(corpus, prefix="dev") if han_count(record.opening()) >= 14]
    told = [{"question": record.opening()} for record in dev]
    report = check(asked(tmp_path, told), origins_of_model("embedded", made), SHARE, OURS)
    assert sum(leak.same_opening for leak in report.sources) == len(dev) > 0


def test_a_sample_is_of_whole_fingerprints_and_never_of_visitors_words(made, tmp_path):
    corpus, manifest = need_current(made, Stage.CORPUS)
    bare = manifest.model_copy(update={"files": {}})
    with pytest.raises(MissingStage, match="no fingerprints"):
        fingerprints.write_sample(corpus, bare, tmp_path / "a", 4)
    folder = tmp_path / corpus.name
    shutil.copytree(corpus, folder)
    record = trained_on(made)[0].model_copy(update={"consent_id": "consent-1"})
    write_records([record], folder, prefix="train-9")
    with pytest.raises(BadInput, match="words of visitors"):
        fingerprints.write_sample(folder, manifest, tmp_path / "b", 4)
    fingerprints.write_sample(corpus, manifest, tmp_path / "c", 4)
    with pytest.raises(BadInput, match="there already"):
        fingerprints.write_sample(corpus, manifest, tmp_path / "c", 4)


@pytest.mark.parametrize("left_bytes", [0, 2_000, 30_000])
def test_a_full_disk_leaves_no_half_sample_and_the_next_call_goes_through(made, tmp_path, left_bytes):
    corpus, manifest = need_current(made, Stage.CORPUS)
    whole = fingerprints.write_sample(corpus, manifest, tmp_path / "whole", 0)
    assert max(whole.values()) > 30_000
    with (
        no_space(tmp_path, left_bytes),
        pytest.raises(DiskFull, match=f"no space left on the disk that holds {tmp_path / 'out'}") as caught,
    ):
        fingerprints.write_sample(corpus, manifest, tmp_path / "out", 0)
    assert "--out" in caught.value.next_step
    assert [*(tmp_path / "out").iterdir()] == []
    assert fingerprints.write_sample(corpus, manifest, tmp_path / "out", 0) == whole


def test_a_killed_call_does_not_stand_in_the_way(made, tmp_path):
    corpus, manifest = need_current(made, Stage.CORPUS)
    half = tmp_path / "out" / ".fingerprints.new"
    half.mkdir(parents=True)
    (half / "runs-half.parquet").write_bytes(b"half")
    fingerprints.write_sample(corpus, manifest, tmp_path / "out", 4)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"fingerprints"}
    assert not (tmp_path / "out" / "fingerprints" / "runs-half.parquet").exists()


def test_a_corpus_folder_can_be_checked_as_it_lies(made):
    corpus, manifest = need_current(made, Stage.CORPUS)
    report = check(corpus, origins_of_corpus(corpus, manifest), SHARE, OURS)
    assert report.items == manifest.counts["records"]
    assert report.leaked >= manifest.counts["train"]
