import json
import subprocess
import sys

import pytest

from forgotten_story import HERS, SECRET, balanced, collected, holds, question
from made_up import dialogues, write_lines
from psyllm.clean.run import run as clean
from psyllm.cli.main import run as cli
from psyllm.collect.run import run as collect
from psyllm.core import forgetting
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import MalformedInput, StageBusy
from psyllm.core.fingerprints import read_index, whole_sources
from psyllm.core.forgetting import containing, forget, marks_of
from psyllm.core.forgotten_files import rows_named, rows_of
from psyllm.core.records import Answer, Record, Turn, read_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import (
    Stage,
    StageRun,
    current_run,
    read_manifest,
    writing,
)
from psyllm.core.tombstones import Tombstone, read_tombstones, tombstones_path, url_mark
from psyllm.corpus.run import run as corpus


@pytest.fixture
def data(tmp_path):
    """Records through three stages, one of them with a near copy that cleaning drops."""
    records = [question(number) for number in range(40)]
    mine = question(40, text=SECRET + "，" + question(40).text, author_hash=HERS)
    copy = mine.model_copy(update={"id": "site:41", "text": mine.text + "。", "author_hash": "", "url": ""})
    home = tmp_path / "data"
    collected(home, [*records, mine, copy])
    clean(CleanSettings(), home)
    corpus(CorpusSettings(), home)
    assert holds(home, SECRET)
    return home


@pytest.mark.parametrize("by", ["url", "author", "content"])
def test_nothing_of_it_is_left_in_the_bytes_of_any_stage(data, by):
    mine = next(record for record in read_records(data / "1_collected" / "site") if record.id == "site:40")
    marks = {
        "url": marks_of([mine.url], (), ()),
        "author": marks_of((), [HERS], ()),
        "content": marks_of((), (), [mine.content_hash]),
    }[by]
    done = forget(data, marks)
    assert not holds(data, SECRET)
    assert done.ids == {"site:40", "site:41"}
    counts = {manifest.stage: manifest.counts for manifest in balanced(data)}
    assert counts["1_collected"]["records"] == 40
    assert counts["2_cleaned"] == {"records": 40, "read": 42, "dropped": 2}
    assert (
        counts["3_corpus"]["records"]
        == 40
        == sum(counts["3_corpus"][side] for side in ("train", "dev", "test"))
    )


def test_what_was_made_of_it_is_not_stale_but_a_model_is(data):
    run = current_run(data, Stage.CORPUS)
    with writing(
        StageRun(data, Stage.MODELS, "m", "mark", (read_manifest(run).as_parent(),), {})
    ) as stage_run:
        stage_run.finish(counts={})
    forget(data, marks_of((), [HERS], ()))
    manifests = {manifest.stage: manifest for manifest in balanced(data)}
    assert manifests["2_cleaned"].parents == (manifests["1_collected"].as_parent(),)
    assert manifests["3_corpus"].parents == (manifests["2_cleaned"].as_parent(),)
    assert read_manifest(data / "4_models" / "m").parents != (manifests["3_corpus"].as_parent(),)


def test_what_was_stale_before_stays_stale(data):
    collected(data, [question(60)])
    forget(data, marks_of((), [HERS], ()))
    manifests = {manifest.stage: manifest for manifest in balanced(data)}
    assert manifests["2_cleaned"].parents != (manifests["1_collected"].as_parent(),)


def test_every_later_run_honours_the_tombstone(data):
    forget(data, marks_of((), [HERS], ()))
    mine = question(40, text=SECRET + "，" + question(40).text, author_hash=HERS)
    collected(data, [question(50), mine], "again")
    manifest = clean(CleanSettings(), data)
    assert manifest.drops["forgotten"] == 1
    cleaned = current_run(data, Stage.CLEANED)
    assert "site:40" not in {record.id for record in read_records(cleaned)}
    assert not holds(cleaned, SECRET)


def test_an_import_of_the_same_words_leaves_them_out(tmp_path):
    path = write_lines(dialogues(5), tmp_path / "input.jsonl")
    data = tmp_path / "data"
    settings = CollectSettings(path=path, name="chat", licence="x")
    collect(settings, data)
    first = next(read_records(data / "1_collected" / "chat"))
    forget(data, marks_of((), (), [first.content_hash]))
    manifest = collect(settings.model_copy(update={"name": "other"}), data)
    assert (manifest.counts["records"], manifest.drops) == (4, {"forgotten": 1})
    assert not holds(data, first.turns[0].text)


def test_a_cleaned_text_s_hash_finds_the_words_as_they_were_collected(tmp_path):
    messy = question(1, text="打我电话13812345678，　　" + SECRET + "\u200b" + question(1).text)
    data = tmp_path / "data"
    collected(data, [messy, question(2)])
    clean(CleanSettings(), data)
    cleaned = next(
        record for record in read_records(current_run(data, Stage.CLEANED)) if record.id == "site:1"
    )
    assert cleaned.content_hash != messy.content_hash
    forget(data, marks_of((), (), [cleaned.content_hash]))
    assert not holds(data, SECRET)
    assert read_tombstones(data).contents == {cleaned.content_hash, messy.content_hash}


def test_of_a_question_only_the_author_s_answer_goes(tmp_path):
    answers = (Answer(text=SECRET * 3, author_hash=HERS), Answer(text="别的回答" * 20, author_hash="b" * 32))
    data = tmp_path / "data"
    collected(data, [question(1, answers=answers), question(2, answers=answers[:1])])
    done = forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)
    left = list(read_records(data / "1_collected" / "site"))
    assert [(record.id, len(record.answers)) for record in left] == [("site:1", 1)]
    assert done.rows == {"1_collected/site": 2}


def test_what_was_made_from_a_record_goes_with_it(tmp_path):
    data = tmp_path / "data"
    made = question(2, parents=("site:1",), text=SECRET * 2, url="")
    collected(data, [question(1), made, question(3)])
    done = forget(data, marks_of(["https://site.example/q/1"], (), ()))
    assert done.ids == {"site:1", "site:2"}
    assert not holds(data, SECRET)


def test_reports_and_exports_of_a_changed_corpus_go_and_models_are_named(data):
    run = current_run(data, Stage.CORPUS)
    parent = read_manifest(run).as_parent()
    for stage, name in ((Stage.MODELS, "model-1"), (Stage.REPORTS, "report-1")):
        with writing(StageRun(data, stage, name, "mark", (parent,), {})) as stage_run:
            (stage_run.folder / "answers.jsonl").write_text(
                "{}" if stage is Stage.MODELS else SECRET, "utf-8"
            )
            stage_run.finish(counts={})
    export = data / "exports" / "alpaca"
    export.mkdir(parents=True)
    (export / "export.json").write_text(json.dumps({"corpus": run.name}))
    (export / "train.json").write_text(SECRET)
    torn = data / "exports" / ".messages.new"
    torn.mkdir()
    (torn / "train.jsonl").write_text(SECRET)
    done = forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)
    assert set(done.removed) == {"5_reports/report-1", "exports/alpaca"}
    assert done.models == ("model-1",)
    assert done.beside == ()
    assert not export.exists()


def test_of_an_export_only_the_files_that_it_names_go_and_what_others_put_there_is_told(data, capsys):
    run = current_run(data, Stage.CORPUS)
    for form in ("alpaca", "messages"):
        export = data / "exports" / form
        export.mkdir(parents=True)
        facts = {"corpus": run.name, "files": {"train.json": "x", "../../3_corpus/current": "x"}}
        (export / "export.json").write_text(json.dumps(facts))
        (export / "train.json").write_text(SECRET)
    adapter = data / "exports" / "alpaca" / "out" / "adapter.safetensors"
    adapter.parent.mkdir()
    adapter.write_text("weights of many days")
    assert cli(["forget", "--data", str(data), "--author", HERS]) == 0
    assert not holds(data, SECRET)
    assert adapter.read_text() == "weights of many days"
    assert [path.name for path in adapter.parent.parent.iterdir()] == ["out"]
    assert not (data / "exports" / "messages").exists()
    assert (data / "3_corpus" / "current").exists()
    assert "exports/alpaca: other files lie there and stay" in capsys.readouterr().out


def test_the_card_s_samples_and_the_fingerprints_lose_it_too(tmp_path):
    data = tmp_path / "data"
    short = question(41, title="", text=SECRET[:9], author_hash=HERS)
    collected(data, [*(question(number) for number in range(40)), question(42, author_hash=HERS), short])
    clean(CleanSettings(), data)
    corpus(CorpusSettings(), data)
    folder = current_run(data, Stage.CORPUS)
    assert holds(folder, SECRET[:9])
    before = read_index(folder)["site"]["runs"]
    assert cli(["forget", "--data", str(data), "--author", HERS]) == 0
    assert not holds(data, SECRET[:9])
    assert "short_question" in (folder / "card.html").read_text("utf-8")
    card = json.loads((folder / "card.json").read_text("utf-8"))
    manifest = read_manifest(folder)
    assert {side: card["splits"][side]["records"] for side in ("train", "dev", "test")} == {
        side: manifest.counts[side] for side in ("train", "dev", "test")
    }
    assert card["left_out"] == manifest.drops
    assert f"| forgotten | {manifest.drops['forgotten']} |" in (folder / "card.md").read_text("utf-8")
    side = next(iter({manifest.stage: manifest for manifest in balanced(data)}["3_corpus"].drops), None)
    assert side is not None
    assert read_index(folder)["site"]["runs"] <= before
    assert whole_sources(folder, read_manifest(folder).files) == {"site"}


def test_a_run_that_was_stopped_half_way_holds_nothing_either(data):
    work = data / "2_cleaned" / "cleaned-half" / "work" / "00000"
    work.mkdir(parents=True)
    (work / "mended.txt").write_text(SECRET)
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)


def test_a_crash_half_way_is_mended_by_the_same_command(data, monkeypatch):
    real, calls = forgetting.rewrite_file, []

    def dies(path, *rest):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(path, *rest)

    monkeypatch.setattr(forgetting, "rewrite_file", dies)
    with pytest.raises(KeyboardInterrupt):
        forget(data, marks_of((), [HERS], ()))
    monkeypatch.setattr(forgetting, "rewrite_file", real)
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)
    counts = {manifest.stage: manifest.counts["records"] for manifest in balanced(data)}
    assert counts == {"1_collected": 40, "2_cleaned": 40, "3_corpus": 40}


def test_what_nobody_named_keeps_every_byte(data):
    before = {path: path.read_bytes() for path in data.rglob("*.parquet")}
    done = forget(data, marks_of(["https://elsewhere.example/"], (), ()))
    assert not done.rows
    assert {path: path.read_bytes() for path in data.rglob("*.parquet")} == before
    assert read_tombstones(data).urls == {url_mark("https://elsewhere.example/")}


@pytest.mark.parametrize("by", ["url", "author", "content"])
def test_of_a_record_that_nothing_names_only_what_is_compared_is_looked_at(tmp_path, monkeypatch, by):
    talk = Record(
        id="site:talk", kind="dialogue", group="g", source="site", licence="x",
        turns=(Turn(role="visitor", text="我睡不着"), Turn(role="counsellor", text="先把灯关上，慢慢呼吸")),
    )  # fmt: skip
    mine = question(1, author_hash=HERS)
    data = tmp_path / "data"
    collected(data, [mine, question(2), talk])
    asked = {
        "url": marks_of([mine.url], (), ()),
        "author": marks_of((), [HERS], ()),
        "content": marks_of((), (), [mine.content_hash]),
    }[by]
    real, seen = forgetting.record_within, []

    def noted(row):
        seen.append(row)
        return real(row)

    monkeypatch.setattr(forgetting, "record_within", noted)
    assert forget(data, asked).ids == {mine.id}
    assert len([row for row in seen if row["id"] == mine.id and row.get("turns") is not None]) > 0
    others = [row for row in seen if row["id"] != mine.id]
    assert all("turns" not in row for row in others)
    assert sum("answers" in row for row in others if row["id"] == "site:2") <= 2


def test_a_duplicate_is_named_by_the_record_that_stays_for_it_too(data):
    dropped = data / "2_cleaned" / current_run(data, Stage.CLEANED).name / "dropped-00000.parquet"
    (row,) = rows_of(dropped)
    assert {row["id"], row["duplicate_of"]} == {"site:40", "site:41"}
    assert list(rows_named(dropped, {row["duplicate_of"]})) == [row]
    assert list(rows_named(dropped, {"site:1"})) == []


def test_a_stage_that_is_being_written_is_waited_for_by_hand(data):
    with (
        writing(StageRun(data, Stage.CLEANED, "other", "mark", (), {})),
        pytest.raises(StageBusy, match=r"another process writes to .*2_cleaned"),
    ):
        forget(data, marks_of((), [HERS], ()))
    assert not tombstones_path(data).exists()


def test_a_passage_leads_to_content_hashes_and_is_not_shown(data):
    found = set(containing(data, SECRET[:5] + " \n" + SECRET[5:]))
    assert {key for key, _ in found} == {"site:40", "site:41"}
    passage = data.parent / "passage.txt"
    passage.write_text(SECRET, "utf-8")
    command = [
        sys.executable,
        "-m",
        "psyllm.cli",
        "forget",
        "--data",
        str(data),
        "--containing",
        str(passage),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert SECRET not in said
    assert said.splitlines()[-1].startswith(f"next: psyllm forget --data {data} --content ")


def test_a_broken_list_of_tombstones_stops_everything(tmp_path):
    tombstones_path(tmp_path).write_text('{"kind": "url"', "utf-8")
    with pytest.raises(MalformedInput, match="line 1: this is no tombstone"):
        read_tombstones(tmp_path)


def test_tombstones_hold_no_address():
    assert "example" not in Tombstone(kind="url", mark=url_mark("https://site.example/q/1")).model_dump_json()
