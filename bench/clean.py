"""How fast, how lean and how well `psyllm clean` works, beside datatrove on the same text.

    python bench/clean.py [speed] [memory] [peer] [duplicates] [paper] [--megabytes 20]

Without a name all parts but `paper` are run. Text is SmileChat (PSYLLM_TEST_DATA).
  speed       one core and two, whole run and each part of it, in MB of UTF-8 a second
  memory      highest resident memory at one and ten times the text
  peer        datatrove in an environment of its own, stock and as good as we could make it
  duplicates  what both find of planted duplicates (recall and precision at Jaccard 0.8)
  paper       400,000 made-up documents, 2.85 GB, end to end (half an hour)
CPU seconds are steadier than wall seconds on a busy machine; both are printed. The peer is
installed on first use into .venv-datatrove (bench/peers/datatrove.txt).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from planted import judge, smilechat, with_copies
from psyllm.clean.duplicates import DuplicateFinder, NgramFiles
from psyllm.clean.run import run as clean
from psyllm.clean.shards import ROWS_AT_ONCE
from psyllm.clean.signatures import compared_text, joined, save, sign
from psyllm.clean.steps import steps
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.records import Record, Turn, read_records, write_records
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Stage, StageRun, writing
from psyllm.text.hashed_ngrams import ngrams_in_order

ROOT = Path(__file__).parent.parent
PEER = ROOT / ".venv-datatrove"
PARTS = ("speed", "memory", "peer", "duplicates")
ROWS_PER_FILE = 1024
PAPER_DOCUMENTS = 400_000
PAPER_CHARS = 2_375  # 2.85 GB of UTF-8 in 400,000 documents


class Cost(NamedTuple):
    """What a process and its children took."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def outside() -> Path:
    """Return the folder of real text."""
    return Path(os.environ.get("PSYLLM_TEST_DATA", ROOT.parent / "shared" / "data"))


def records(dialogues: Iterable[list[dict[str, str]]]) -> Iterator[Record]:
    """Yield dialogues as records."""
    for number, dialogue in enumerate(dialogues):
        turns = tuple(
            Turn(role="visitor" if turn["role"] == "client" else "counsellor", text=turn["content"])
            for turn in dialogue
            if turn["content"]
        )
        name = f"bench:{number}"
        yield Record(id=name, kind="dialogue", group=name, source="bench", licence="CC0-1.0", turns=turns)


def collected(data: Path, found: Iterable[Record], megabytes: float | None = None) -> float:
    """Write records as a run of `1_collected`, up to so many MB; return how many MB."""
    total = 0

    def until() -> Iterator[Record]:
        nonlocal total
        for record in found:
            yield record
            total += sum(len(text.encode()) for text in record.texts())
            if megabytes is not None and total >= megabytes * 1e6:
                return

    with writing(StageRun(data, Stage.COLLECTED, "bench", "bench", (), {})) as stage_run:
        count = write_records(until(), stage_run.folder, rows_per_file=ROWS_PER_FILE)
        stage_run.finish(counts={"records": count})
    return total / 1e6


def measured(command: list[str], cores: str = "0,1") -> Cost:
    """Run a command on these cores and return its cost, children and all."""
    code = (
        "import json,resource,subprocess,sys,time;t=time.monotonic();"
        "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE,text=True);"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([r.returncode,u.ru_utime+u.ru_stime,time.monotonic()-t,u.ru_maxrss/1000,r.stderr[-2000:]]))"
    )
    whole = ["taskset", "-c", cores, sys.executable, "-c", code, *command]
    done = subprocess.run(whole, capture_output=True, text=True, check=True)
    status, cpu_s, wall_s, peak_mb, said = json.loads(done.stdout)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{said}")
    return Cost(cpu_s, wall_s, peak_mb)


def ours(data: Path, workers: int, cores: str = "0,1") -> Cost:
    """Clean in a process of its own."""
    shutil.rmtree(data / "2_cleaned", ignore_errors=True)
    command = [sys.executable, __file__, "--clean", str(data), "--workers", str(workers)]
    return measured(command, cores)


def speed(megabytes: float, scratch: Path) -> None:
    """Print MB/s of the whole and of its parts."""
    size = collected(scratch / "data", records(smilechat(outside(), 10**6)), megabytes)
    idle = measured([sys.executable, "-c", "import psyllm.clean.run"], "0")
    one, two = ours(scratch / "data", 1, "0"), ours(scratch / "data", 2)
    print(f"\n## Speed, {size:.1f} MB of SmileChat")
    print(
        f"one core, whole process   {size / one.cpu_s:6.2f} MB/s of CPU  {size / one.wall_s:6.2f} MB/s of wall"
    )
    print(f"  without its start-up    {size / (one.cpu_s - idle.cpu_s):6.2f} MB/s of CPU")
    print(
        f"two cores                 {size / two.wall_s:6.2f} MB/s of wall  {one.wall_s / two.wall_s:.2f} times one"
    )
    sample = list(read_records(scratch / "data" / "1_collected" / "bench"))[:4000]
    part = sum(len(text.encode()) for record in sample for text in record.texts()) / 1e6
    for step in steps(CleanSettings()):
        step.take(sample[:1000])  # loads its tables
        batches = [sample[at : at + ROWS_AT_ONCE] for at in range(0, len(sample), ROWS_AT_ONCE)]
        start = time.process_time()
        results = [result for batch in batches for result in step.take(batch)]
        seconds = max(time.process_time() - start, 1e-6)
        sample = [result for result in results if isinstance(result, Record)]
        print(f"  {step.name:28s} {part / seconds:9.1f} MB/s")
    hashes = [record.content_hash for record in sample]
    start = time.process_time()
    _find(sample, hashes, scratch / "near")
    print(f"  {'near duplicates, all of it':28s} {part / (time.process_time() - start):9.1f} MB/s")


def _find(sample: list[Record], hashes: list[str], folder: Path) -> None:
    folder.mkdir()
    batches = range(0, len(sample), ROWS_AT_ONCE)
    parts = [sign(sample[at : at + ROWS_AT_ONCE], hashes[at : at + ROWS_AT_ONCE]) for at in batches]
    save(folder, joined(parts))
    finder = DuplicateFinder([folder], 0.8)
    rows = finder.candidates()[0]
    NgramFiles.write(folder, rows, [ngrams_in_order([compared_text(sample[row]) for row in rows])])
    finder.find(NgramFiles([folder], finder.borders).of)


def memory(megabytes: float, scratch: Path) -> None:
    """Print the highest resident memory at one and ten times the text."""
    peaks = []
    print("\n## Memory, one core")
    for size in (megabytes / 2, megabytes * 5):
        data = scratch / f"data-{size:g}"
        held = collected(data, records(smilechat(outside(), 10**6)), size)
        peaks.append(ours(data, 1, "0").peak_mb)
        print(f"{held:7.1f} MB of text  {peaks[-1]:7.1f} MB resident")
    print(f"ten times the text takes {peaks[1] / peaks[0]:.3f} times the memory")


def peer_python() -> Path:
    """Return the peer's Python, installed on first use."""
    python = PEER / "bin" / "python"
    if not (PEER / ".ready").exists():
        print(f"installing datatrove into {PEER.name} (some minutes)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEER], check=True)
        wanted = ROOT / "bench" / "peers" / "datatrove.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
        (PEER / ".ready").touch()
    return python


def datatrove(source: Path, work: Path, kind: str) -> Cost:
    """Let datatrove clean the JSON Lines of a folder on one core."""
    script = ROOT / "bench" / "peers" / "datatrove_clean.py"
    shutil.rmtree(work, ignore_errors=True)
    return measured([str(peer_python()), str(script), str(source), str(work), kind, "1"], "0")


def as_lines(data: Path, folder: Path) -> list[str]:
    """Write the collected records as datatrove reads them; return their texts."""
    folder.mkdir()
    texts = ["\n".join(record.texts()) for record in read_records(data / "1_collected" / "bench")]
    with (folder / "00000.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n")
    return texts


def peer(megabytes: float, scratch: Path) -> None:
    """Print datatrove's speed beside ours."""
    print("\n## Beside datatrove 0.10.1, one core")
    # What start-up costs, tables and all: both clean three dialogues (the filters must leave one).
    collected(scratch / "few", records(smilechat(outside(), 3)))
    as_lines(scratch / "few", scratch / "empty")
    for kind, size in (("best", megabytes), ("stock", megabytes / 10)):
        data = scratch / f"data-{kind}"
        held = collected(data, records(smilechat(outside(), 10**6)), size)
        as_lines(data, scratch / f"lines-{kind}")
        own, idle = ours(data, 1, "0"), ours(scratch / "few", 1, "0")
        other = datatrove(scratch / f"lines-{kind}", scratch / "work", kind)
        still = datatrove(scratch / "empty", scratch / "work", kind)
        mine, theirs = held / (own.cpu_s - idle.cpu_s), held / (other.cpu_s - still.cpu_s)
        print(
            f"{kind:6s} {held:6.1f} MB  psyllm {mine:6.2f}  datatrove {theirs:6.2f} MB/s  ratio {mine / theirs:6.1f}"
        )
        print(f"       with start-up: {held / own.cpu_s:6.2f} and {held / other.cpu_s:6.2f} MB/s")


def duplicates(megabytes: float, scratch: Path) -> None:
    """Print what both find of planted duplicates."""
    data = scratch / "data-planted"
    size = collected(data, records(with_copies(smilechat(outside(), 10**6))), megabytes)
    texts = as_lines(data, scratch / "lines-planted")
    manifest = clean(CleanSettings(workers=1), data)
    gone = [
        row
        for path in (data / "2_cleaned" / manifest.run).glob("dropped-*.parquet")
        for row in pq.read_table(path, columns=["id", "reason"]).to_pylist()
    ]
    doubles = {int(row["id"].split(":")[1]) for row in gone if row["reason"].endswith("_duplicate")}
    found = {"psyllm": judge(texts, set(range(len(texts))) - doubles)}
    for kind in ("best",):
        datatrove(scratch / "lines-planted", scratch / "work", kind)
        passed, kept = (_ids(scratch / "work" / name) for name in ("cleaned", "kept"))
        found[f"datatrove {kind}"] = judge(texts, set(range(len(texts))) - (passed - kept))
    print(f"\n## Planted duplicates, {size:.1f} MB, {len(texts):,} dialogues")
    for name, one in found.items():
        print(
            f"{name:16s} recall {one.recall:.4f} ({one.pairs_found:,} of {one.pairs:,} pairs)  "
            f"precision {one.precision:.4f} ({one.right:,} of {one.left_out:,} left out)"
        )


def _ids(folder: Path) -> set[int]:
    return {
        int(json.loads(line)["id"])
        for path in folder.glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    }


def paper(scratch: Path) -> None:
    """Make 400,000 documents of 2.85 GB, import and clean them."""
    sentences = [
        sentence + "。"
        for dialogue in smilechat(outside(), 4000)
        for turn in dialogue
        for sentence in turn["content"].split("。")
        if len(sentence) > 8
    ]
    chance = random.Random(11)
    path = scratch / "paper.jsonl"
    with path.open("w", encoding="utf-8") as file:
        before = ""
        for number in range(PAPER_DOCUMENTS):
            text = "".join(chance.choices(sentences, k=PAPER_CHARS // 24))[:PAPER_CHARS]
            text = before if number % 20 == 19 else text  # one in twenty is there twice
            before = text
            turns = [text[start : start + 250] for start in range(0, len(text), 250)]
            dialog = [
                {"role": ("client", "counselor")[place % 2], "content": turn}
                for place, turn in enumerate(turns)
            ]
            file.write(json.dumps({"id": str(number), "dialog": dialog}, ensure_ascii=False) + "\n")
    print(
        f"\n## The paper's scale: {PAPER_DOCUMENTS:,} documents, {path.stat().st_size / 1e9:.2f} GB of JSON Lines"
    )
    start = time.monotonic()
    manifest = collect(CollectSettings(path=path, name="paper", licence="CC0-1.0"), scratch / "data")
    print(f"import  {time.monotonic() - start:7.0f} s  peak {manifest.peak_rss_mb} MB", flush=True)
    cost = ours(scratch / "data", 0)
    print(
        f"clean   {cost.wall_s:7.0f} s  {cost.cpu_s:7.0f} s of CPU  peak of a process {cost.peak_mb:.0f} MB"
    )
    run = next((scratch / "data" / "2_cleaned").glob("cleaned-*/manifest.json"))
    said: dict[str, Any] = json.loads(run.read_text("utf-8"))
    print(f"counts  {said['counts']}  drops {said['drops']}")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "paper", []])
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--scratch", type=Path, help="where gigabytes may lie for a while")
    parser.add_argument("--clean", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.clean:
        clean(CleanSettings(workers=given.workers), given.clean)
        return
    work = {"speed": speed, "memory": memory, "peer": peer, "duplicates": duplicates}
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
            if name == "paper":
                paper(Path(folder))
            else:
                work[name](given.megabytes, Path(folder))
    print(
        f"\npeak of this script {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
