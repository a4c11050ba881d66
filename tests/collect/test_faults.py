"""What goes wrong with whole files: nothing is lost in silence, and memory does not grow with the file."""

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_up import dialogues, questions, write_array, write_lines
from psyllm.collect.run import run
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import MalformedInput
from psyllm.core.records import read_records
from psyllm.core.stages import Stage, complete_runs
from psyllm.core.starter import STARTER

_CHILD = """
import resource, sys
from pathlib import Path
from psyllm.collect.run import run
from psyllm.core.collect_settings import CollectSettings
manifest = run(CollectSettings(path=Path(sys.argv[1]), name="source", licence="CC0-1.0"), Path(sys.argv[2]))
print(manifest.counts["records"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def settings(path, **others):
    return CollectSettings(path=path, name="source", licence="CC0-1.0", **others)


def chat(*turns):
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def write_xlsx(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


TALK = "来访者：你好。\n心理咨询师：你好。\n".encode()
ROWS = [["问题", "回答"], ["甲", "乙"], ["甲", "丙"], ["丁", ""], ["戊", "己"]]
FLAT = {"question": "甲", "answer": "乙", "questionID": 1}
CHATML = "<|im_start|>system\n甲<|im_end|><|im_start|>user\n乙<|im_end|>"
TOOL_CHATML = "<|im_start|>system\n甲<|im_end|><|im_start|>tool\n乙<|im_end|>"

# What is written, and how many inputs there are: records, left out, joined.
FORMS = {
    "psyqa": (lambda path: write_array(questions(9), path), (9, 0, 0)),
    "psyqa_flat": (lambda path: write_lines([FLAT, FLAT, FLAT | {"questionID": 2}], path), (2, 0, 1)),
    "smilechat": (lambda path: write_lines(dialogues(9), path), (9, 0, 0)),
    "messages": (
        lambda path: write_lines([chat(("user", "甲")), chat(("user", "甲"), ("tool", "乙")), chat()], path),
        (1, 2, 0),
    ),
    "sharegpt": (
        lambda path: write_array(
            [{"conversations": [{"from": who, "value": "甲"}]} for who in ("human", "observation")], path
        ),
        (1, 1, 0),
    ),
    "emollm": (
        lambda path: write_array(
            [{"conversation": [{"input": "甲", "output": "乙"}]}, {"conversation": []}], path
        ),
        (1, 1, 0),
    ),
    "alpaca": (
        lambda path: write_lines([{"instruction": f"甲{n}", "output": "乙"} for n in range(4)], path),
        (4, 0, 0),
    ),
    "chatml": (lambda path: path.write_text(CHATML + TOOL_CHATML + CHATML, "utf-8"), (2, 1, 0)),
    "csv": (
        lambda path: path.write_text("\n".join(map(",".join, ROWS)) + "\n只有一格\n", "utf-8"),
        (2, 2, 1),
    ),
    "xlsx": (lambda path: write_xlsx(path, ROWS), (2, 1, 1)),
    "parquet": (
        lambda path: pq.write_table(pa.table({"问题": list("甲甲丁戊"), "回答": ["乙", "丙", None, "己"]}), path),
        (2, 1, 1),
    ),
    "dialogues_in_zip": (lambda path: write_zip(path, {"a": TALK, "b": TALK, "c": b"x", "d": b"\0"}), (2, 2, 0)),
    "markdown_in_tar": (lambda path: write_tar(path, {"a": b"# x\ny", "b": b"# x\nz", "c": b"x"}), (2, 1, 0)),
    "data_in_zip": (
        lambda path: write_zip(path, {
            "a.csv": "问题,回答\n甲,乙\n",
            "b.jsonl.gz": gzip.compress(json.dumps(chat(("user", "甲"))).encode()),
            "LICENSE": b"x",
        }),
        (2, 1, 0),
    ),
    "starter": (lambda path: path.write_bytes(STARTER.read_bytes()), None),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_read_becomes_a_record_is_left_out_or_joins_another(tmp_path, form):
    write, expected = FORMS[form]
    write(tmp_path / "a")
    manifest = run(settings(tmp_path / "a"), tmp_path)
    records = manifest.counts["records"]
    left_out, joined = sum(manifest.drops.values()), manifest.counts.get("joined", 0)
    assert manifest.counts["read"] == records + left_out + joined
    assert expected in (None, (records, left_out, joined))
    assert len(list(read_records(tmp_path / "1_collected" / "source"))) == records
    assert manifest.details["encodings"] if form not in ("xlsx", "parquet") else True


def zstd(raw):
    return pa.compress(raw, codec="zstd", asbytes=True)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_packed_file_that_breaks_off_imports_nothing(tmp_path, pack):
    whole = pack(write_lines(dialogues(600), tmp_path / "plain").read_bytes())
    (tmp_path / "a").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(MalformedInput, match=r"breaks off: its .* bytes only; nothing was imported"):
        run(settings(tmp_path / "a"), tmp_path)
    assert not complete_runs(tmp_path, Stage.COLLECTED)


@pytest.mark.parametrize("form", ["xlsx", "parquet", "dialogues_in_zip", "markdown_in_tar", "data_in_zip"])
def test_an_archive_or_table_that_breaks_off_imports_nothing(tmp_path, form):
    path = tmp_path / "a"
    FORMS[form][0](path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(MalformedInput, match="nothing was imported"):
        run(settings(path), tmp_path)
    assert not complete_runs(tmp_path, Stage.COLLECTED)


def test_an_error_inside_an_archive_names_the_archive_and_the_file_in_it(tmp_path):
    write_zip(
        tmp_path / "a.zip",
        {"good.jsonl": json.dumps(chat(("user", "甲"))), "bad.jsonl": '{"messages": []}\n{"a": 秘密'},
    )
    with pytest.raises(MalformedInput, match=r"a\.zip, bad\.jsonl, line 2 is not valid JSON") as caught:
        run(settings(tmp_path / "a.zip"), tmp_path)
    assert "psyllm-" not in caught.value.message


def test_a_record_of_50_mb_is_imported_with_its_neighbours(tmp_path):
    talk = dialogues(3)
    talk[1]["dialog"][0]["content"] = "心情" * (50_000_000 // 6)
    run(settings(write_lines(talk, tmp_path / "a")), tmp_path)
    records = list(read_records(tmp_path / "1_collected" / "source"))
    assert [record.id for record in records] == ["source:0", "source:1", "source:2"]
    assert len(records[1].turns[0].text) == 50_000_000 // 6 * 2


def test_a_file_ten_times_as_large_needs_no_more_memory(tmp_path):
    talks = [json.dumps(talk["dialog"], ensure_ascii=False) for talk in dialogues(1000)]
    peaks = []
    for size in (20_000_000, 200_000_000):
        path = tmp_path / "a.jsonl"
        count = 0
        with path.open("w", encoding="utf-8") as file:
            while file.tell() < size:
                for talk in talks:
                    file.write(f'{{"id": {count}, "dialog": {talk}}}\n')
                    count += 1
        command = [sys.executable, "-c", _CHILD, str(path), str(tmp_path / f"data-{size}")]
        records, peak_kb = map(int, subprocess.run(command, check=True, capture_output=True).stdout.split())
        assert records == count
        peaks.append(peak_kb)
    assert peaks[1] < 1.1 * peaks[0], peaks
