"""`psyllm clean` alone cleans; `clean review` draws and tells, and keeps to two lines when it can't."""

import asyncio
from pathlib import Path

from casebook_story import hire, put_blank_casebook
from cleaned_story import dialogue, put_cleaned
from made_up import dialogues, write_lines
from psyllm.casebook import admin, reviews
from psyllm.casebook.kinds import ReviewVerdict
from psyllm.casebook.open import casebook_url, open_casebook
from psyllm.casebook.reviews import Judged, Reviewed
from psyllm.cli.main import run
from psyllm.core.review_sample import read_sample
from psyllm.core.stages import Stage, complete_runs


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
