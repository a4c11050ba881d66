"""Records that hold what somebody wants forgotten, and a look into every byte for it."""

import gzip
import json
import random

import pyarrow.parquet as pq

from made_up import words
from psyllm.core.records import Answer, Record, write_records
from psyllm.core.stages import Stage, StageRun, complete_runs, file_hash, stage_folder, writing

SECRET = "那年冬天我在青石桥边把外婆的铜铃铛弄丢了"
HERS = "a" * 32


def question(number, **fields):
    body = words(random.Random(number), 60) + "。"
    answer = Answer(text="回答：" + body[::-1] * 2, author_hash="b" * 32)
    base = {"title": "问题" + body[:20], "text": body, "answers": (answer,)}
    return Record(
        id=f"site:{number}", kind="question", group=f"site:{number}", source="site", licence="x",
        **{**base, "url": f"https://site.example/q/{number}", **fields},
    )  # fmt: skip


def collected(data, records, name="site"):
    with writing(StageRun(data, Stage.COLLECTED, name, f"mark-{name}", (), {}), beside=True) as stage_run:
        write_records(records, stage_run.folder)
        stage_run.finish(counts={"records": len(records)})


def everything(data):
    """Return all bytes under the folder, packed ones unpacked as well."""
    found = [path.name.encode() for path in data.rglob("*")]
    for path in data.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            found.append(raw)
            if path.suffix == ".parquet" or path.name.endswith(".forgetting"):
                found.append(json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False).encode())
            if path.suffix == ".gz":
                found.append(gzip.decompress(raw))
    return b"\0".join(found)


def holds(data, text):
    raw = everything(data)
    return any(form in raw for form in (text.encode(), json.dumps(text)[1:-1].encode()))


def balanced(data):
    for stage in (Stage.COLLECTED, Stage.CLEANED, Stage.CORPUS):
        for manifest in complete_runs(data, stage):
            folder = stage_folder(data, stage) / manifest.run
            assert {name: file_hash(folder / name) for name in manifest.files} == manifest.files
            yield manifest
