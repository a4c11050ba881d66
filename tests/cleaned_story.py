"""A small cleaned run written by hand, and its sample, for tests of reviewing in several rooms."""

from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.batches import DROPPED_SCHEMA
from psyllm.core.records import Answer, Record, Span, Turn, to_row, write_records, write_rows
from psyllm.core.review_sample import Sample
from psyllm.core.settled_reviews import REVIEWS_RUN, SettledReview, write_settled
from psyllm.core.stages import Stage, StageRun, set_current, writing

CALM = "谢谢你愿意说出来。睡前把担心写在纸上，明天再看，也许会轻一点。" * 2


def dialogue(
    number: int, reply: str = CALM, said: str = "最近总是睡不着，躺下就想很多事情", **more
) -> Record:
    """A dialogue of four turns; its number stands in its words."""
    return Record(
        id=f"talks:{number}",
        kind="dialogue",
        group=f"talks:{number}",
        source="talks",
        licence="CC0-1.0",
        turns=(
            Turn(role="visitor", text=f"{said}，这是第{number}个晚上了"),
            Turn(role="counsellor", text=reply),
            Turn(role="visitor", text="我试一试，谢谢"),
            Turn(role="counsellor", text="过几天再来说说怎么样了"),
        ),
        **more,
    )


def question(number: int, answer: str = CALM, **more) -> Record:
    """A question with two answers, the first with a strategy span over its last four characters."""
    return Record(
        id=f"asked:{number}",
        kind="question",
        group=f"asked:{number}",
        source="asked",
        licence="CC0-1.0",
        title=f"考试前很紧张，这是第{number}次考试",
        text="一想到考试就心慌手抖，晚上也睡不好",
        answers=(
            Answer(text=answer, spans=(Span(start=len(answer) - 4, end=len(answer), type="Suggestion"),)),
            Answer(text="紧张是身体在帮你做准备，先慢慢呼吸几次，再看第一道题。" * 3),
        ),
        **more,
    )


def put_cleaned(
    data: Path,
    kept: Sequence[Record],
    dropped: Sequence[tuple[Record, str]] = (),
    name: str = "cleaned-one",
    duplicate_of: str = "",
) -> Path:
    """Write a complete cleaned run and make it current."""
    with writing(StageRun(data, Stage.CLEANED, name, "mark", (), {})) as run:
        write_records(kept, run.folder)
        rows = [
            {**to_row(record), "reason": reason, "duplicate_of": duplicate_of} for record, reason in dropped
        ]
        if rows:
            write_rows(rows, DROPPED_SCHEMA, run.folder / "dropped-00000.parquet")
        run.finish(counts={"records": len(kept), "read": len(kept) + len(dropped), "dropped": len(dropped)})
    set_current(data, Stage.CLEANED, name)
    return run.folder


def put_reviews(data: Path, reviews: Sequence[SettledReview], mark: str = "mark") -> None:
    """Write settled decisions as the complete run of reviews."""
    with writing(StageRun(data, Stage.FEEDBACK, REVIEWS_RUN, mark, (), {}), beside=True) as run:
        write_settled(run.folder, reviews)
        run.finish(counts={"records": 0}, details={"run": "cleaned-one"})


def item_of(sample: Sample, record_id: str) -> str:
    """The name of the item of a record."""
    return next(one.item for one in sample.items if one.id == record_id)
