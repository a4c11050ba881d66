import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hardship import ends_after_kills, no_space, scarce_disk
from made_up import dialogues, write_lines
from psyllm.clean.run import run as clean
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import DiskFull, EmptyCorpus, MissingStage
from psyllm.core.records import read_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, current_run
from psyllm.corpus.run import run

LEAKS = Path(__file__).parent.parent.parent / "bench" / "leaks.py"


def cleaned(data, values, name="source", **settings):
    path = write_lines(values, data.parent / f"{name}.input")
    collect(CollectSettings(path=path, name=name, licence="CC0-1.0", **settings), data)
    return clean(CleanSettings(), data)


def sides(data):
    folder = current_run(data, Stage.CORPUS)
    return {side: list(read_records(folder, prefix=side)) for side in ("train", "dev", "test")}


def retold(values, times):
    """Return each dialogue so many times, with its own first turn and other replies."""
    others = dialogues(len(values) * times, seed=7)
    for number, other in enumerate(others):
        other["dialog"][0] = values[number % len(values)]["dialog"][0]
    return others


def test_the_bundled_corpus_is_split_with_something_to_measure(tmp_path):
    collect(CollectSettings(), tmp_path)
    clean(CleanSettings(), tmp_path)
    manifest = run(CorpusSettings(), tmp_path)
    found = sides(tmp_path)
    assert {side: len(records) for side, records in found.items()} == {
        side: manifest.counts[side] for side in found
    }
    for side in ("dev", "test"):
        assert sum(record.kind == "question" for record in found[side]) >= 3
        assert any(record.kind == "document" for record in found[side])


def test_records_pass_through_whole_and_once(tmp_path):
    data = tmp_path / "data"
    cleaned(data, dialogues(80))
    run(CorpusSettings(), data)
    split_up = sorted((record for side in sides(data).values() for record in side), key=lambda r: r.id)
    before = sorted(read_records(current_run(data, Stage.CLEANED)), key=lambda r: r.id)
    assert split_up == before


def test_one_question_told_many_times_stands_on_one_side(tmp_path):
    data = tmp_path / "data"
    cleaned(data, retold(dialogues(40), times=4))
    manifest = run(CorpusSettings(), data)
    assert manifest.counts["groups"] == 40
    openings = [{record.opening() for record in side} for side in sides(data).values()]
    assert all(openings)
    assert not openings[0] & openings[1] | openings[0] & openings[2] | openings[1] & openings[2]


def test_brute_force_finds_no_leak_in_ours_and_many_in_a_random_split(tmp_path):
    data = tmp_path / "data"
    cleaned(data, retold(dialogues(40), times=4))
    run(CorpusSettings(), data)
    command = [sys.executable, str(LEAKS), "--data", str(data), "--random-splits", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    leaks = {line.split()[0]: line.split() for line in done.stdout.splitlines()[2:]}
    assert leaks["ours"][4:6] == ["0", "0.0%"]
    assert float(leaks["random,"][-4].rstrip("%")) > 50


def test_a_leak_put_in_by_hand_is_found_by_brute_force_and_by_the_card(tmp_path):
    data = tmp_path / "data"
    cleaned(data, dialogues(60))
    run(CorpusSettings(), data)
    folder = current_run(data, Stage.CORPUS)
    shutil.copy(folder / "test-00000.parquet", folder / "train-00099.parquet")
    done = subprocess.run(
        [sys.executable, str(LEAKS), "--data", str(data), "--random-splits", "0"], check=False
    )
    assert done.returncode == 1


def test_the_card_is_there_for_people_and_programs(tmp_path):
    data = tmp_path / "data"
    manifest = cleaned(data, dialogues(60))
    made = run(CorpusSettings(), data)
    folder = current_run(data, Stage.CORPUS)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert card["cleaning"]["run"] == manifest.run
    assert card["overlaps"]["test_in_train"] == {
        "openings": made.counts["test"], "same_beginning": 0, "beginning_inside": 0, "nearly_equal": 0,
    }  # fmt: skip
    assert card["terms"] == made.details["terms"] == [{"licence": "CC0-1.0", "asks": "nothing"}]
    assert (folder / "card.md").read_text("utf-8").startswith("# Data card")


def test_what_may_not_be_trained_on_is_left_out_of_training(tmp_path):
    data = tmp_path / "data"
    cleaned(data, dialogues(60), "free")
    cleaned(data, dialogues(60, seed=4), "closed", may_train=False)
    manifest = run(CorpusSettings(), data)
    found = sides(data)
    assert {record.source for record in found["train"] + found["dev"]} == {"free"}
    assert manifest.drops["may_not_train"] == 120 - manifest.counts["records"] > 0


def test_a_second_run_is_up_to_date_until_a_setting_changes(tmp_path):
    data = tmp_path / "data"
    cleaned(data, dialogues(40))
    first = run(CorpusSettings(), data)
    assert run(CorpusSettings(), data) == first
    assert run(CorpusSettings(seed=1), data).run != first.run


def test_nothing_cleaned_names_the_command(tmp_path):
    with pytest.raises(MissingStage, match="has no complete run yet") as caught:
        run(CorpusSettings(), tmp_path)
    assert caught.value.next_step.startswith("run: psyllm clean")


def test_a_corpus_of_one_question_is_empty(tmp_path):
    data = tmp_path / "data"
    cleaned(data, retold(dialogues(1), times=12))
    with pytest.raises(EmptyCorpus, match="12 records in 1 groups") as caught:
        run(CorpusSettings(), data)
    assert "collect more" in caught.value.next_step
    assert current_run(data, Stage.CORPUS) is None


def test_a_full_disk_is_said_and_the_earlier_run_stays(tmp_path):
    with scarce_disk(tmp_path / "disk") as data:
        path = write_lines(dialogues(300), tmp_path / "input")
        collect(CollectSettings(path=path, name="source", licence="CC0-1.0"), data)
        clean(CleanSettings(), data)
        first = run(CorpusSettings(), data)
        with (
            no_space(data, left_bytes=32768),
            pytest.raises(DiskFull, match=r"no space left on the disk that holds .*3_corpus"),
        ):
            run(CorpusSettings(seed=1), data)
        assert current_run(data, Stage.CORPUS).name == first.run
        assert run(CorpusSettings(seed=1), data).counts["records"] == 300


def test_a_kill_at_any_moment_changes_nothing_of_the_result(tmp_path):
    data = tmp_path / "data"
    cleaned(data, dialogues(500))
    whole, ends = ends_after_kills("corpus", CorpusSettings(), data)
    assert set(ends) == {whole}


@pytest.mark.outside_data
def test_outside_dialogues_are_split_without_a_leak(tmp_path, outside_data):
    path = outside_data / "smilechat" / "train.jsonl.xz"
    collect(CollectSettings(path=path, name="smilechat", licence="CC0-1.0", limit=700), tmp_path)
    clean(CleanSettings(), tmp_path)
    manifest = run(CorpusSettings(), tmp_path)
    assert manifest.counts["groups"] < 500
    command = [sys.executable, str(LEAKS), "--data", str(tmp_path), "--random-splits", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ours" in done.stdout
