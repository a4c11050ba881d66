import gzip
import json
import lzma

import pytest

from psyllm.core.errors import BadInput, MalformedInput, MissingFile, UnknownFormat
from psyllm.core.records import Record, write_records
from psyllm.corpus.evaluation_items import need_items, read_items

ASKED = "我最近总是睡不着怎么办？"
SAID = "可以先说说最近发生了什么。"
SHAPES = {
    "psyqa": {"question": ASKED, "description": "", "answers": [{"answer_text": SAID}], "questionID": 3},
    "alpaca": {"instruction": ASKED, "input": "", "output": SAID},
    "sharegpt": {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]},
    "messages": {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]},
    "smilechat": {"id": "1", "dialog": [{"role": "client", "content": ASKED}, {"content": SAID}]},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["json", "jsonl", "jsonl.gz", "json.xz"])
def test_each_shape_opens_with_what_is_asked(tmp_path, shape, form):
    value = SHAPES[shape]
    text = json.dumps(
        [value, value] if form.startswith("json.") or form == "json" else value, ensure_ascii=False
    )
    raw = (text + "\n" + (text + "\n" if form.startswith("jsonl") else "")).encode()
    packed = gzip.compress(raw) if form.endswith("gz") else lzma.compress(raw) if form.endswith("xz") else raw
    (tmp_path / f"items.{form}").write_bytes(packed)
    items = list(read_items(tmp_path / f"items.{form}"))
    assert [item.opening for item in items] == [ASKED, ASKED]
    assert items[0].texts == (ASKED, SAID)


def test_lines_of_text_records_and_whole_folders_are_items(tmp_path):
    (tmp_path / "a.txt").write_text(f"{ASKED}\n\n{SAID}\n", "utf-8")
    record = Record(id="a:1", kind="document", group="a", source="a", licence="x", title="题目", text=SAID)
    write_records([record, record], tmp_path, rows_per_file=1)
    items = list(read_items(tmp_path))
    assert [item.opening for item in items] == [ASKED, SAID, f"题目\n{SAID}", f"题目\n{SAID}"]


def test_what_can_not_be_read_is_said(tmp_path):
    with pytest.raises(MissingFile, match="does not exist"):
        list(read_items(tmp_path / "none"))
    with pytest.raises(UnknownFormat, match="holds no Parquet"):
        list(read_items(tmp_path))
    (tmp_path / "broken.json").write_text('[{"a": ', "utf-8")
    with pytest.raises(MalformedInput, match="not valid JSON"):
        list(read_items(tmp_path / "broken.json"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(MalformedInput, match="can't be read to its end"):
        list(read_items(tmp_path / "cut.jsonl.gz"))
    (tmp_path / "other.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnknownFormat, match="does not hold records"):
        list(read_items(tmp_path / "other.parquet"))
    with pytest.raises(BadInput, match="no text with Chinese"):
        need_items([], tmp_path)
