"""What was measured of the embedded model goes beside its weights: `marks.json`, and a block of its card.

In: the sheet as each reader has filled it in, with the key and the figures that
`embedded.py` wrote beside the first, who the readers are, and the model's folder. Out: `marks.json`, which
`psyllm.core.embedded` judges, and the figures between two marks in
MODEL_CARD.md. Figures of other weights than the folder's are refused. Nothing
is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.base_models import MARKS_FILE, base_hash
from psyllm.core.embedded import ASKED, MEASURED_ON, Marks, missed_marks
from psyllm.core.stages import write_text_atomically
from psyllm.evaluate.intervals import Interval, share_interval
from psyllm.lm.model_card import CARD_FILE, read_card, read_config
from psyllm.lm.model_shape import shape_of

CARD = "MODEL_CARD.md"
BEGIN = "<!-- figures: written by `python bench/embedded.py --card`, never by hand -->"
END = "<!-- end of figures -->"
NOT_YET = "Not measured yet. / 尚未测量。"
OF_SHEET = ("on_topic_percent", "on_topic_over_shuffled_points", "own_judged", "shuffled_judged")


def figures_beside(sheet: Path) -> Path:
    """Return where the figures of a sheet lie."""
    return sheet.with_suffix(".figures.json")


def key_beside(sheet: Path) -> Path:
    """Return where it stands which answers of a sheet belong to their question."""
    return sheet.with_suffix(".key.json")


class Read(NamedTuple):
    """What one reader found on topic, in percent: of the model's own answers, and of those to other questions."""

    own: Interval
    shuffled: Interval
    own_judged: int
    shuffled_judged: int

    def apart(self) -> float:
        """Return by how many percentage points its own are more often on topic."""
        return self.own.value - self.shuffled.value


def judged(sheets: Sequence[Path]) -> tuple[list[Read], int]:
    """Return what each reader found on topic, and on how many answers all of them agree.

    Raises:
        SystemExit: a row is unread, the readers did not read the same sheet, or two of them are one file.
    """
    if len({sheet.resolve() for sheet in sheets}) < len(sheets):
        raise SystemExit(
            "the same sheet is named twice: a reader does not count as two; give each reader's own file"
        )
    key = json.loads(key_beside(sheets[0]).read_text("utf-8"))
    read = [json.loads(sheet.read_text("utf-8")) for sheet in sheets]
    shown = [[(row["number"], row["question"], row["answer"]) for row in rows] for rows in read]
    if any(rows != shown[0] for rows in shown):
        raise SystemExit("the readers' sheets do not hold the same questions and answers in the same order")
    for sheet, rows in zip(sheets, read, strict=True):
        unread = [row["number"] for row in rows if not isinstance(row["on_topic"], bool)]
        if unread:
            message = f"{sheet}: not judged yet: {unread}"
            raise SystemExit(message)
    marks = [[row["on_topic"] for row in rows] for rows in read]
    agreed = sum(len(set(each)) == 1 for each in zip(*marks, strict=True))
    return [_read(of_one, key) for of_one in marks], agreed


def _read(marks: Sequence[bool], key: Sequence[bool]) -> Read:
    own, shuffled = (
        [mark for mark, is_own in zip(marks, key, strict=True) if is_own is it] for it in (True, False)
    )
    shares = [share_interval(side).scaled(100) for side in (own, shuffled)]
    return Read(shares[0], shares[1], len(own), len(shuffled))


def write_marks(sheets: Sequence[Path], folder: Path, readers: str) -> bool:
    """Write marks.json of a judged sheet into the model's folder; return whether all that is asked is reached.

    Of several readers the one who found least on topic counts, and the one who told least apart. `readers` says in
    words who they are.

    Raises:
        SystemExit: a row is unread, a sheet is named twice, a figure is missing, they are those of other weights, or they were measured
            on less than is asked or with other settings than the service answers with.
    """
    found, agreed = judged(sheets)
    sheet = sheets[0]
    figures = json.loads(figures_beside(sheet).read_text("utf-8"))
    missing = sorted({*ASKED} - {*OF_SHEET, *figures["measured"]})
    if missing:
        print(f"{figures_beside(sheet)} lacks {', '.join(missing)}: measure with dialogues and questions")
        raise SystemExit(1)
    if figures["base_sha256"] != base_hash(folder):
        print(f"{figures_beside(sheet)} are the figures of other weights than {folder} holds")
        raise SystemExit(1)
    least = min(read.own.value for read in found), min(read.apart() for read in found)
    measured = {
        **figures["measured"],
        **dict(zip(OF_SHEET, (*least, found[0].own_judged, found[0].shuffled_judged), strict=True)),
    }
    too_little = missed_marks(measured, MEASURED_ON)
    if too_little:
        print("\n".join(f"not measured as asked: {words}" for words in too_little))
        raise SystemExit(1)
    marks = Marks(
        base_sha256=figures["base_sha256"],
        measured=measured,
        asked={name: bounds[:2] for name, bounds in ASKED.items()},
        told={
            **figures["told"],
            "readers": readers,
            "agreed": agreed,
            "on_topic": [{"own": list(read.own), "shuffled": list(read.shuffled)} for read in found],
        },
    )
    write_text_atomically(folder / MARKS_FILE, marks.model_dump_json(indent=1) + "\n")
    print("\n".join(_topic(marks.told)))
    missed = missed_marks(marks.measured)
    print("\n".join(f"missed: {words}" for words in missed) or "all that is asked is reached")
    return not missed


def write_card(folder: Path) -> None:
    """Put the figures of a folder's marks between the two marks of its card; without marks it says so."""
    path = folder / CARD
    text = path.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or END not in rest:
        print(f"{path} has no place for figures: the lines {BEGIN} and {END}")
        raise SystemExit(1)
    write_text_atomically(path, f"{before}{BEGIN}\n\n{block(folder)}\n\n{END}{after}")


def block(folder: Path) -> str:
    """Return the figures as Markdown."""
    try:
        marks = Marks.model_validate_json((folder / MARKS_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return NOT_YET
    if marks.base_sha256 != base_hash(folder):
        return NOT_YET
    return "\n".join([*_table(marks), "", *_told(marks.told), *_made(folder)])


def _table(marks: Marks) -> Iterator[str]:
    missed = missed_marks(marks.measured)
    yield "| measured 测得 | figure | asked 要求 |"
    yield "|---|---:|---:|"
    for name, bounds in ASKED.items():
        yield f"| {bounds.what} | {_figure(marks.measured.get(name))} | {bounds.in_words()} |"
    yield ""
    yield "All that is asked is reached." if not missed else f"Not reached: {'; '.join(missed)}."


def _told(told: dict[str, Any]) -> Iterator[str]:
    bits = told["bits_per_char"]
    yield (
        f"- {told['dialogues']} held-out dialogues, {told['characters']:,} characters; bits per character: "
        + ", ".join(f"{name} {_interval(found, 3)}" for name, found in bits.items())
    )
    yield (
        f"- {told['questions']} held-out questions at temperature {told['temperature']:g}; of the answers: "
        + ", ".join(f"{_interval(share, 1)} % {name}" for name, share in told["answers_percent"].items())
    )
    yield f"- Distinct-2 at equal size: model {told['distinct_2_percent']['model']:.1f} %, people {told['distinct_2_percent']['people']:.1f} %"
    yield from _topic(told)


def _topic(told: dict[str, Any]) -> Iterator[str]:
    shares = "; ".join(
        f"on topic {_interval(one['own'], 0)} % of its own answers, {_interval(one['shuffled'], 0)} % of answers to other questions"
        for one in told["on_topic"]
    )
    alike = f"; all agree on {told['agreed']} answers" if len(told["on_topic"]) > 1 else ""
    yield f"- read blind, mixed, by {told['readers']}: {shares}{alike}"


def _figure(figure: float | None) -> str:
    return "not measured" if figure is None else f"{figure:.4g}"


def _made(folder: Path) -> Iterator[str]:
    card = read_card(folder)
    lineage = {} if card is None else card.lineage
    weights = shape_of(read_config(folder)).weights().total
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield f"- {weights:,} weights, {size / 1e6:.1f} MB with fingerprints; run `{lineage.get('run', '')}`"
    for parent in lineage.get("parents", ()):
        yield f"- made from {parent['stage']} `{parent['run']}`, sha256 {parent['content_hash'][:16]} ({CARD_FILE} holds all)"


def _interval(found: list[float | None], decimals: int) -> str:
    value, low, high = found
    if low is None or high is None:
        return f"{value:.{decimals}f}"
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"
