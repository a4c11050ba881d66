"""`psyllm clean` alone cleans; `clean review` draws and tells, and keeps to two lines when it can't."""

import asyncio
from pathlib import Path

from casebook_story import blank_casebook, hire, put_blank_casebook
from cleaned_story import dialogue, put_cleaned
from made_up import dialogues, write_lines
from psyllm.casebook import admin, reviews
from psyllm.casebook.kinds import ReviewVerdict
from psyllm.casebook.open import casebook_url, open_casebook
from psyllm.casebook.reviews import Judged, Reviewed
from psyllm.cli.main import run
from psyllm.core.private import Private
from psyllm.core.review_sample import read_sample
from psyllm.core.settings import ServeSettings
from psyllm.core.settled_reviews import EditedTexts, read_settled
from psyllm.core.stages import Stage, complete_runs
from psyllm.serve.answer import Library
from psyllm.serve.parts import open_parts


def test_alone_it_cleans_and_then_draws(tmp_path: Path, capsys) -> None:
    values = write_lines(dialogues(12), tmp_path / "talks.jsonl")
    data = str(tmp_path / "data")
    assert (
        run(["collect", "import", str(values), "--name", "talks", "--licence", "CC0-1.0", "--data", data])
        == 0
    )
    assert run(["clean", "--data", data, "--set", "clean.workers=1"]) == 0
    assert len(complete_runs(Path(data), Stage.CLEANED)) == 1
    capsys.readouterr()
    assert run(["clean", "review", "--data", data, "--size", "5"]) == 0
    told = capsys.readouterr().out
    assert "sample.json: 5 records of cleaned-" in told
    assert "/desk/review" in told
    assert len(read_sample(Path(data)).items) == 5


def test_status_tells_coverage_and_what_is_not_known_yet(tmp_path: Path, capsys) -> None:
    assert run(["clean", "review", "--status", "--data", str(tmp_path)]) == 0
    assert "no sample is drawn yet" in capsys.readouterr().out
    put_cleaned(tmp_path, [dialogue(1), dialogue(2)])
    assert run(["clean", "review", "--data", str(tmp_path)]) == 0
    capsys.readouterr()
    assert run(["clean", "review", "--status", "--data", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "sample of cleaned-one: 0 of 2 records settled" in told
    assert "Krippendorff's alpha unknown (of 0)" in told
    assert "kept/talks/dialogue: 0 of 2 settled, 2 rows" in told


def test_without_cleaned_data_it_says_what_to_do(tmp_path: Path, capsys) -> None:
    assert run(["clean", "review", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines()[1].startswith("next: run: psyllm clean")


def test_forget_erases_what_reviewers_wrote_about_a_text(tmp_path: Path, capsys) -> None:
    record = dialogue(1)
    put_cleaned(tmp_path, [record, dialogue(2)])

    async def decide() -> None:
        book = await open_casebook(casebook_url(tmp_path))
        person = await hire(book)
        for one in (record, dialogue(2)):
            await reviews.decide(
                book, person, Reviewed(one.id, one.content_hash), Judged(ReviewVerdict.ACCEPT)
            )
        await book.close()

    put_blank_casebook(tmp_path)
    asyncio.run(decide())
    assert len(admin.decided_items(tmp_path)) == 2
    assert run(["forget", "--content", record.content_hash, "--data", str(tmp_path)]) == 0
    assert "rows taken out" in capsys.readouterr().out
    assert len(admin.decided_items(tmp_path)) == 1


def test_a_casebook_elsewhere_is_found_by_forget_feedback_and_review(tmp_path: Path, capsys) -> None:
    """The desk's service wrote to another file than the data folder's own."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere.sqlite3"
    url = f"sqlite+aiosqlite:///{elsewhere}"
    secret = "只在改过的文字里有的一句话"
    record = dialogue(1)
    put_cleaned(data, [record, dialogue(2)])
    elsewhere.write_bytes(blank_casebook())

    async def decide() -> None:
        settings = ServeSettings(database=url, model="none")
        async with open_parts(settings, data, library=Library((), 1.0)) as parts:
            turns = (secret, *(turn.text for turn in record.turns[1:]))
            edit = Judged(ReviewVerdict.EDIT, edited=Private(EditedTexts(turns=turns).model_dump_json()))
            for person in [await hire(parts.book, name) for name in ("lin", "wang")]:
                await reviews.decide(parts.book, person, Reviewed(record.id, record.content_hash), edit)

    asyncio.run(decide())
    words = ["--data", str(data)]
    assert run(["clean", "review", *words]) == 0
    assert "1 are decided on" in capsys.readouterr().out
    assert run(["feedback", *words]) == 0
    assert len(read_settled(data)) == 1
    assert run(["feedback", *words, "--set", "serve.database=sqlite+aiosqlite:///other.sqlite3"]) == 2
    assert "another one is set" in capsys.readouterr().err
    assert run(["forget", "--content", record.content_hash, *words]) == 0
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    elsewhere.unlink()
    untouched = sorted(path.name for path in (data / "2_cleaned" / "cleaned-one").iterdir())
    for command in (["forget", "--content", dialogue(2).content_hash], ["feedback"], ["clean", "review"]):
        assert run([*command, *words]) == 2
        assert "there is nothing" in capsys.readouterr().err
    assert sorted(path.name for path in (data / "2_cleaned" / "cleaned-one").iterdir()) == untouched
