import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_up import dialogues, text, write_lines
from psyllm.clean import shards
from psyllm.clean.batches import clean_batch
from psyllm.clean.run import _need_all, run
from psyllm.clean.steps import steps
from psyllm.clean.tally import Tally
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import LostRecords
from psyllm.core.records import RECORD_SCHEMA, from_row, read_records, to_row
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Manifest, Stage, complete_runs, current_run


@pytest.fixture
def data(tmp_path):
    for name in ("one", "two"):
        values = dialogues(20, seed=len(name) + ord(name[0]))
        path = write_lines(values, tmp_path / f"{name}.input")
        collect(CollectSettings(path=path, name=name, licence="CC0-1.0"), tmp_path / "data")
    return tmp_path / "data"


def test_a_stopped_run_does_not_do_a_finished_shard_again(data, monkeypatch):
    done = []

    def stops_at_second(batch, *rest):
        done.append(batch.column("source")[0].as_py())
        if done == ["one", "two"]:
            raise KeyboardInterrupt
        return clean_batch(batch, *rest)

    monkeypatch.setattr(shards, "clean_batch", stops_at_second)
    with pytest.raises(KeyboardInterrupt):
        run(CleanSettings(), data)
    assert current_run(data, Stage.CLEANED) is None
    assert run(CleanSettings(), data).counts["records"] == 40
    assert done == ["one", "two", "two"]


def test_what_another_run_left_half_way_is_removed(data):
    other = data / "2_cleaned" / "cleaned-other"
    (other / "work").mkdir(parents=True)
    manifest = run(CleanSettings(), data)
    assert [path.name for path in (data / "2_cleaned").iterdir() if path.is_dir()] == [manifest.run]


def test_rows_that_no_step_changed_are_handed_on_and_changed_ones_stand_in_their_place():
    chance = random.Random(4)
    bodies = [text(chance, 12) for _ in range(3)]
    values = [
        {"id": "a:1", "text": bodies[0], "topic_score": 0.5},
        {"id": "a:2", "text": "打我电话13812345678，" + bodies[1]},
        {"id": "a:3", "text": "短"},
        {"id": "a:4", "text": bodies[2], "topic_score": 0.5},
    ]
    base = {"kind": "document", "group": "a", "source": "a", "licence": "x"}
    records = [from_row({**base, **value}) for value in values]
    batch = pa.RecordBatch.from_pylist([to_row(record) for record in records], schema=RECORD_SCHEMA)
    tally = Tally()
    taken = [step for step in steps(CleanSettings()) if step.name != "score_topic"]
    cleaned = clean_batch(batch, taken, tally)
    assert cleaned.kept.column("id").to_pylist() == ["a:1", "a:2", "a:4"]
    assert [from_row(row) for row in cleaned.kept.to_pylist()] == list(cleaned.records)
    hashes = [record.content_hash for record in cleaned.records]
    assert cleaned.kept.column("content_hash").to_pylist() == hashes
    assert "〔电话〕" in cleaned.records[1].text
    assert cleaned.dropped.column("reason").to_pylist() == ["short_document"]
    assert (tally.read["a"], tally.drops["short_document"]) == (4, 1)


def test_records_of_an_older_schema_are_taken_in(data):
    path = next((data / "1_collected" / "one").glob("part-*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["url", "cluster_size", "topic_score"]), path)
    run(CleanSettings(), data)
    assert sum(record.source == "one" for record in read_records(current_run(data, Stage.CLEANED))) == 20


def test_counts_that_do_not_add_up_are_never_put_in_use(data):
    sources = complete_runs(data, Stage.COLLECTED)
    tally = Tally()
    tally.read["one"], tally.kept["one"] = 40, 39
    with pytest.raises(LostRecords, match="collected 40, read 40, but kept 39 and dropped 0"):
        _need_all(tally, sources)
    tally.drops["short_document"] = 1
    _need_all(tally, sources)
    with pytest.raises(LostRecords):
        _need_all(
            tally, [*sources, Manifest(stage="1_collected", run="x", fingerprint="", counts={"records": 1})]
        )
