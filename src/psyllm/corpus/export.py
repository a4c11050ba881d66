"""The corpus in use as files for other programs: `psyllm corpus export`.

The current run of `3_corpus` comes in; a folder goes out with train, dev and
test in one form, the data card, the terms that travel with the texts, and
`export.json`, which names the corpus and counts what the form could not hold.
A new folder appears whole or not at all. In one that holds an export, the files
that its `export.json` names are replaced, and all others stay. `llamafactory`
is a folder that LLaMA-Factory trains from as it stands; what it trains lies
beside the folder. Nothing is split or changed here.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from psyllm.core.errors import BadInput
from psyllm.core.forgetting import EXPORT_FACTS, EXPORTS, exported_files
from psyllm.core.permits import read_permit, refuse_ended
from psyllm.core.progress import track
from psyllm.core.records import Record, read_records
from psyllm.core.stages import Manifest, Stage, file_hash, need_current
from psyllm.corpus.card_html import as_html
from psyllm.corpus.export_forms import FORMS, Form, Row, sharegpt_rows, text_rows
from psyllm.corpus.split import SPLITS, Split

LLAMAFACTORY = "llamafactory"
PARQUET = "parquet"
FORM_NAMES = (*FORMS, PARQUET, LLAMAFACTORY)
_YAML = Path(__file__).parent / "llamafactory"
_CARDS = ("card.json", "card.md")
# Lines of a recipe that need a dev set.
_OF_DEV = ("eval_", "per_device_eval_", "load_best_model_", "metric_for_best_model")


class Exported(NamedTuple):
    """Where it lies, rows by file, and records that the form could not hold, by kind."""

    folder: Path
    rows: dict[str, int]
    left_out: dict[str, int]


def export(form: str, data: Path, folder: Path | None = None) -> Exported:
    """Write the corpus in use in this form; files of an earlier export there are replaced.

    Raises:
        MissingStage: there is no corpus yet, or an agreement that it rests on has ended.
        BadInput: the form is unknown, or the folder holds something else.
    """
    if form not in FORM_NAMES:
        message = f"there is no form {form!r}; there are: {', '.join(FORM_NAMES)}"
        raise BadInput(message, "choose one of these")
    corpus, manifest = need_current(data, Stage.CORPUS)
    permit = read_permit(manifest.details.get("permit"), manifest.run)
    today = dt.datetime.now(dt.UTC).date()
    refuse_ended(permit, manifest.run, "make a corpus without it: psyllm corpus", today)
    folder = folder or data / EXPORTS / form
    if folder.exists() and not (folder / EXPORT_FACTS).exists():
        message = f"{folder} is there already and is no export"
        raise BadInput(message, "name another folder with --out")
    place = folder.resolve()  # "." has no name
    beside = place.with_name(f".{place.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        exported = _write(form, corpus, beside)
        _write_facts(form, manifest, corpus, exported, beside)
        if place.exists():
            _replace(place, beside)
        else:
            beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return exported._replace(folder=folder)


def _replace(folder: Path, beside: Path) -> None:
    """Put the new files in the place of those of the earlier export.

    At no time does a text lie there of a corpus that `export.json` does not name: forgetting goes by it.
    """
    earlier = exported_files(folder)
    new = [path for path in sorted(beside.iterdir()) if path.name != EXPORT_FACTS]
    in_the_way = [path.name for path in new if (folder / path.name).exists() and path.name not in earlier]
    if in_the_way:
        message = f"{folder} holds files that are of no export and would be lost: {', '.join(in_the_way)}"
        raise BadInput(message, "move them, or name another folder with --out")
    for name in earlier:
        (folder / name).unlink(missing_ok=True)
    (beside / EXPORT_FACTS).replace(folder / EXPORT_FACTS)
    for path in new:
        path.replace(folder / path.name)


def _write(form: str, corpus: Path, folder: Path) -> Exported:
    rows: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    for side in SPLITS:
        if form == PARQUET:
            for path in sorted(corpus.glob(f"{side}-*.parquet")):
                shutil.copyfile(path, folder / path.name)
            rows[side] = sum(1 for _ in read_records(folder, prefix=side))
        elif form == LLAMAFACTORY:
            rows |= _llamafactory_side(corpus, side, folder, left_out)
        else:
            name = f"{side}.{FORMS[form].ending}"
            rows[name] = _write_rows(FORMS[form], corpus, side, folder / name, left_out)
    if form == LLAMAFACTORY:
        _write_llamafactory(folder, rows)
    return Exported(folder, rows, {kind: count for kind, count in sorted(left_out.items()) if count})


def _write_rows(form: Form, corpus: Path, side: Split, path: Path, left_out: Counter[str]) -> int:
    """Write one side; return the rows."""
    count = 0
    with path.open("wb") as file:
        file.write(b"[\n" if form.as_array else b"")
        for row in _rows(form, corpus, side, left_out):
            file.write(b",\n" if form.as_array and count else b"")
            file.write(orjson.dumps(row))
            file.write(b"" if form.as_array else b"\n")
            count += 1
        file.write(b"\n]\n" if form.as_array else b"")
    return count


def _rows(form: Form, corpus: Path, side: Split, left_out: Counter[str]) -> Iterator[Row]:
    for record in _side(corpus, side):
        any_row = False
        for row in form.rows(record):
            any_row = True
            yield row
        left_out[record.kind] += not any_row


def _side(corpus: Path, side: Split) -> Iterator[Record]:
    return track(read_records(corpus, prefix=side), f"export {side}")


def _llamafactory_side(corpus: Path, side: Split, folder: Path, left_out: Counter[str]) -> dict[str, int]:
    """Write the documents and the conversations of a side; what neither can hold is left out."""
    texts = Form("texts", "jsonl", text_rows, as_array=False)
    asked = Form("asked", "json", sharegpt_rows, as_array=True)
    no_text: Counter[str] = Counter()
    not_asked: Counter[str] = Counter()
    rows = {
        f"adapt_{side}.jsonl": _write_rows(texts, corpus, side, folder / f"adapt_{side}.jsonl", no_text),
        f"answer_{side}.json": _write_rows(asked, corpus, side, folder / f"answer_{side}.json", not_asked),
    }
    left_out.update(no_text & not_asked)  # a kind is left out only where neither file takes it
    for name, count in rows.items():
        if not count:  # LLaMA-Factory refuses an empty set
            (folder / name).unlink()
    return {name: count for name, count in rows.items() if count}


def _write_llamafactory(folder: Path, rows: dict[str, int]) -> None:
    """Write what LLaMA-Factory reads: the list of data sets and a recipe for each stage that has texts."""
    info: dict[str, Any] = {}
    for name in rows:
        entry: dict[str, Any] = {"file_name": name}
        if name.startswith("adapt"):
            entry["columns"] = {"prompt": "text"}
        else:
            entry |= {"formatting": "sharegpt", "columns": {"messages": "conversations"}}
        info[f"psyllm_{name.partition('.')[0]}"] = entry
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=1) + "\n", "utf-8")
    for recipe in sorted(_YAML.glob("*.yaml")):
        if f"psyllm_{recipe.stem}_train" in info:
            lines = recipe.read_text("utf-8").splitlines(keepends=True)
            has_dev = f"psyllm_{recipe.stem}_dev" in info
            kept = [line for line in lines if has_dev or not line.startswith(_OF_DEV)]
            (folder / recipe.name).write_text("".join(kept), "utf-8")


def _write_facts(form: str, manifest: Manifest, corpus: Path, exported: Exported, folder: Path) -> None:
    for card in _CARDS:
        if (corpus / card).exists():
            shutil.copyfile(corpus / card, folder / card)
    if (corpus / "card.json").exists():  # samples of dropped texts stay at home
        card_told = json.loads((corpus / "card.json").read_text("utf-8"))
        (folder / "card.html").write_text(as_html(card_told, {}, manifest.run), "utf-8")
    facts = {
        "form": form,
        "corpus": manifest.run,
        "corpus_content_hash": manifest.content_hash,
        "terms": manifest.details.get("terms", []),
        "permit": read_permit(manifest.details.get("permit"), manifest.run)._asdict(),
        "rows": exported.rows,
        "left_out": exported.left_out,
        "files": {path.name: file_hash(path) for path in sorted(folder.iterdir())},
    }
    (folder / EXPORT_FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", "utf-8")
