"""The door of `corpus`: the cleaned records become train, dev and test in `3_corpus`.

The current run of `2_cleaned` comes in. Records that belong together go to one
side, so that no question is both learnt and asked; what may not or should not
be trained on is left out and counted by reason, and so is a crisis that a
counsellor passed over, unless the protocol has a reply for it. `train-*`,
`dev-*`, `test-*`, a data card and fingerprints of all training text go out.
All other records pass through as they are. Packing for a model is `train`'s.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from psyllm.core.errors import EmptyCorpus, LostRecords
from psyllm.core.progress import track
from psyllm.core.rated_answers import RATINGS, rated_files, rated_prefix, read_rated
from psyllm.core.records import Record, read_records
from psyllm.core.settings import CorpusSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    file_hash,
    fingerprint,
    need_current,
    up_to_date,
    write_text_atomically,
    writing,
)
from psyllm.corpus.card import as_markdown, count_split, make_card
from psyllm.corpus.drop_samples import drop_samples
from psyllm.corpus.evaluation_items import files_of, set_names
from psyllm.corpus.fingerprints import OpeningPrints, write_fingerprints
from psyllm.corpus.looking import MOST_OPENING_CHARS, MOST_TEXT_CHARS, Tally, part_of
from psyllm.corpus.overlaps import Openings, Overlap
from psyllm.corpus.plan import EXPIRED, MAY_NOT_TRAIN, Plan, make_plan
from psyllm.corpus.rated import count_rated, write_rated_sides
from psyllm.corpus.refresh import write_page
from psyllm.corpus.sources import SourceTerms, over, own_work, source_terms
from psyllm.corpus.split import SPLITS, Split, largest_held_out
from psyllm.corpus.splitting import Written, write_splits
from psyllm.corpus.terms import permit

# In which side the openings of which others are looked for.
_LOOKED_IN: dict[Split, tuple[Split, ...]] = {"train": ("test", "dev"), "dev": ("test",)}


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def run(settings: CorpusSettings, data: Path, today: Callable[[], dt.date] = _today) -> Manifest:
    """Split what was cleaned; a result that is there already is left as it is.

    Raises:
        MissingStage: nothing was cleaned yet.
        EmptyCorpus: too little is there to split, or every agreement has ended.
        BadSetting: dev and test would take everything, or a cap is wrong.
        BadInput: an evaluation set can't be read.
        DiskFull: no space is left; earlier runs stay as they were.
    """
    cleaned_folder, cleaned = need_current(data, Stage.CLEANED)
    terms = source_terms(cleaned, data)
    ended = over(terms, terms, today())
    said = {
        **settings.model_dump(mode="json", exclude={"evaluation_sets"}),
        "evaluation_sets": {
            name: _hashes(path) for name, path in set_names(settings.evaluation_sets).items()
        },
    }
    parents = (cleaned.as_parent(),)
    # Terms and what has ended by today decide what is in it as much as any setting.
    told = {"terms": {name: term._asdict() for name, term in terms.items()}, "ended": ended}
    own = own_work(cleaned, data)
    inputs = {**said, **told, "own_work": own}
    mark = fingerprint(Stage.CORPUS, parents, inputs, ["corpus", "safety", "text", "core"])
    name = f"corpus-{mark[:12]}"
    done = up_to_date(data, Stage.CORPUS, name)
    if done is not None:
        return done
    paths = sorted(cleaned_folder.glob("part-*.parquet"))
    rated = list(read_rated(cleaned_folder))
    plan = make_plan(paths, ended, settings, rated)
    with writing(StageRun(data, Stage.CORPUS, name, mark, parents, said)) as stage_run:
        written = write_splits(paths, plan.fates, stage_run.folder, settings.crisis_replies)
        _need_all_sides(plan, written)
        rated_rows, rated_left_out = write_rated_sides(rated, plan.rated, stage_run.folder)
        drops = _left_out(written, paths)
        card = _card(stage_run.folder, cleaned, plan, written, settings, terms, drops)
        ratings = count_rated(stage_run.folder, rated_left_out)
        if ratings:
            card[RATINGS] = ratings
        card["ended"] = {source: day for source, day in ended.items() if drops.get(EXPIRED)}
        write_text_atomically(
            stage_run.folder / "card.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n"
        )
        write_text_atomically(stage_run.folder / "card.md", as_markdown(card))
        write_page(stage_run.folder, drop_samples(cleaned_folder))
        return stage_run.finish(
            counts={
                "records": sum(written.rows.values()),
                **{side: written.rows[side] for side in SPLITS},
                "groups": len(plan.grouping.groups),
                "read": len(plan.fates),
                **({RATINGS: rated_rows} if ratings else {}),
            },
            drops=drops,
            seeds={"split": settings.seed},
            details={
                **{name: card[name] for name in ("terms", "permit", "overlaps", "crises", "ended")},
                **({RATINGS: {"left_out": rated_left_out}} if ratings else {}),
                "own_work": own,
            },
        )


def _hashes(path: Path) -> list[str]:
    return [file_hash(file) for file in files_of(path)]


def _left_out(written: Written, paths: Sequence[Path]) -> dict[str, int]:
    """Return how many records were left out by reason, after a check that no record is lost or doubled."""
    counts = Counter(written.fates)
    read = sum(pq.read_metadata(path).num_rows for path in paths)
    if any(counts[side] != written.rows[side] for side in SPLITS) or counts.total() != read:
        message = f"{read} records came in, {counts.total()} are accounted for, {written.rows} were written"
        raise LostRecords(
            message, "this is a fault of psyllm: report it with these numbers; nothing was put in use"
        )
    reasons = sorted(set(counts) - set(SPLITS) | {MAY_NOT_TRAIN})
    return {reason: counts[reason] for reason in reasons}


def _need_all_sides(plan: Plan, written: Written) -> None:
    empty = [side for side in SPLITS if side in plan.fates and not written.rows[side]]
    if empty:
        message = f"leaving out crises that were passed over leaves nothing for: {', '.join(empty)}"
        raise EmptyCorpus(message, "collect more records, or look at them: --set corpus.crisis_replies=keep")


def _card(
    folder: Path,
    cleaned: Manifest,
    plan: Plan,
    written: Written,
    settings: CorpusSettings,
    terms: dict[str, SourceTerms],
    drops: dict[str, int],
) -> dict[str, Any]:
    tally = Tally()
    prints = OpeningPrints(settings.opening_chars)
    splits = {side: count_split(_noted(_side(folder, side), side, tally, prints)) for side in SPLITS}
    for row in read_rated(folder):
        tally.hold(row.record)
    for row in read_rated(folder, prefix=rated_prefix("train")):
        prints.add(row.record)
    training = [*sorted(folder.glob("train-*.parquet")), *rated_files(folder, prefix=rated_prefix("train"))]
    write_fingerprints(folder, training, prints, settings.opening_chars)
    shares = _shares_looked_at(tally, splits)
    return make_card(
        splits=splits,
        cleaned=cleaned,
        overlaps=_overlaps(folder, settings, shares),
        groups={
            "groups": len(plan.grouping.groups),
            "largest": max(len(group) for group in plan.grouping.groups),
            "largest_held_out": largest_held_out(len(plan.grouping.entries), settings),
            "may_not_train": drops[MAY_NOT_TRAIN],
        },
        settings=settings.model_dump(mode="json", exclude={"evaluation_sets"}),
        facts={
            "read": len(plan.fates),
            "left_out": drops,
            "permit": permit(tally.licences, terms)._asdict(),
            "crises": {side: dict(sorted(counts.items())) for side, counts in written.crises.items()},
            "authors": tally.author_overlap(),
            "evaluation_items": plan.evaluation_items,
            "words": {stage: dict(sorted(counts.items())) for stage, counts in tally.words.items()},
            "looked_at": shares,
            "takedown": settings.takedown,
        },
    )


def _noted(records: Iterator[Record], side: Split, tally: Tally, prints: OpeningPrints) -> Iterator[Record]:
    """Yield the records of a side, counted on the way; training has to come first."""
    for record in records:
        tally.hold(record)
        if side == "train":
            tally.learn(record)
            prints.add(record)
        else:
            tally.opening_chars[side] += len(record.opening())
        if side == "test":
            tally.ask(record)
        yield record


def _shares_looked_at(tally: Tally, splits: dict[Split, dict[str, Any]]) -> dict[str, float]:
    """Return which shares of the openings and of the text the second look takes."""
    openings = sum(tally.opening_chars.values())
    return {
        "openings": min(1.0, MOST_OPENING_CHARS / openings) if openings else 1.0,
        "texts": min(1.0, MOST_TEXT_CHARS / max(1, splits["train"]["characters"])),
    }


def _overlaps(folder: Path, settings: CorpusSettings, shares: dict[str, float]) -> dict[str, Overlap]:
    found: dict[str, Overlap] = {}
    for known, asked in _LOOKED_IN.items():
        sides = {f"{side}_in_{known}": part_of(_side(folder, side), shares["openings"]) for side in asked}
        openings = Openings(sides, settings.opening_chars, settings.near_duplicate_jaccard)
        texts = part_of(_side(folder, known), shares["texts"])
        found |= openings.count_in(track(texts, f"look for {' and '.join(asked)} in {known}"))
    return found


def _side(folder: Path, side: Split) -> Iterator[Record]:
    return read_records(folder, prefix=side)
