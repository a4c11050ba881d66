import pyarrow.parquet as pq
import pytest

from psyllm.clean.rows import DROPPED_SCHEMA, RowFiles, read_rows
from psyllm.core.records import ROWS_PER_FILE, Record, read_records, to_row


def row(number):
    return to_row(Record(id=f"a:{number}", kind="document", group="a", source="a", licence="x", text="文"))


def test_rows_come_back_in_order_from_files_of_limited_size(tmp_path):
    rows = [row(number) for number in range(ROWS_PER_FILE + 5)]
    with RowFiles(tmp_path, "part") as files:
        for one in rows:
            files.add(one)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["part-00000.parquet", "part-00001.parquet"]
    assert [one["id"] for one in read_rows(tmp_path, "part")] == [one["id"] for one in rows]
    assert [record.id for record in read_records(tmp_path)] == [one["id"] for one in rows]


def test_no_rows_make_no_file(tmp_path):
    with RowFiles(tmp_path, "part"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_dropped_rows_carry_their_reason(tmp_path):
    with RowFiles(tmp_path, "dropped", DROPPED_SCHEMA) as files:
        files.add({**row(1), "reason": "few_turns", "duplicate_of": ""})
    table = pq.read_table(tmp_path / "dropped-00000.parquet")
    assert table["reason"].to_pylist() == ["few_turns"]
    assert table.schema.names[:-2] == list(row(1))


def test_an_error_inside_is_not_covered_by_another(tmp_path):
    def breaks():
        with RowFiles(tmp_path, "part") as files:
            files.add(row(1))
            raise KeyError

    with pytest.raises(KeyError):
        breaks()
