import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from psyllm.clean.rows import ROWS_PER_GROUP, BatchFile

SCHEMA = pa.schema([("text", pa.string())])


def batch(*texts):
    return pa.RecordBatch.from_pylist([{"text": text} for text in texts], schema=SCHEMA)


def test_batches_come_back_in_order_in_groups_of_limited_size(tmp_path):
    texts = [f"第{number}句" for number in range(2 * ROWS_PER_GROUP + 5)]
    with BatchFile(tmp_path / "part.parquet", SCHEMA) as file:
        for start in range(0, len(texts), 256):
            file.write(batch(*texts[start : start + 256]))
    written = pq.ParquetFile(tmp_path / "part.parquet")
    assert written.read().column("text").to_pylist() == texts
    assert written.metadata.num_row_groups == 3


def test_large_texts_do_not_wait_for_a_full_group(tmp_path):
    with BatchFile(tmp_path / "part.parquet", SCHEMA) as file:
        for _ in range(3):
            file.write(batch("长" * (12 << 20)))
    assert pq.ParquetFile(tmp_path / "part.parquet").metadata.num_row_groups == 3


def test_no_rows_make_no_file(tmp_path):
    with BatchFile(tmp_path / "part.parquet", SCHEMA) as file:
        file.write(batch())
    assert list(tmp_path.iterdir()) == []


def test_an_error_inside_is_not_covered_by_another(tmp_path):
    def breaks():
        with BatchFile(tmp_path / "part.parquet", SCHEMA) as file:
            file.write(batch("一句"))
            raise KeyError

    with pytest.raises(KeyError):
        breaks()
