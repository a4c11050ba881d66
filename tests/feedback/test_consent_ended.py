"""Consent that ended reaches every run that ever held the words, whatever happened in between."""

import shutil
from pathlib import Path

import pytest

from casebook_story import answer_from_library, ask, said
from feedback.test_run import LONG, SETTINGS, rate, tell
from forgotten_story import balanced, collected, holds, question
from psyllm.casebook import talk
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.open import Casebook
from psyllm.casebook.visitors import find_visitor
from psyllm.clean.run import run as clean
from psyllm.core.errors import StageBusy
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, StageRun, current_run, locked, read_manifest, stage_folder, writing
from psyllm.corpus.refresh import refresh
from psyllm.corpus.run import run as corpus
from psyllm.feedback.run import run
from psyllm.safety.levels import Level

WORDS, OTHERS = "青石桥边的铜铃铛", "山顶上那座旧钟楼"
STAGES = (Stage.FEEDBACK, Stage.CLEANED, Stage.CORPUS)


async def told(book: Casebook, words: str, browser: str, mark: int) -> None:
    visitor, taken = await ask(
        book, f"{words}丢了以后我总是睡不着，也不想和人说", key=f"key-{browser}", browser=browser
    )
    await rate(book, visitor, await answer_from_library(book, taken, LONG), mark)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two visitors' ratings, cleaned and split, and a model made of them."""
    data = tmp_path_factory.mktemp("made")
    collected(data, [question(number) for number in range(30)])

    async def story(book: Casebook) -> None:
        await told(book, WORDS, "one", 1)
        await told(book, OTHERS, "two", 1)

    tell(data, story)
    run(SETTINGS, data, remake=refresh)
    make_again(data)
    parents = (read_manifest(current_run(data, Stage.CORPUS)).as_parent(),)
    with writing(StageRun(data, Stage.MODELS, "m", "mark", parents, {})) as stage_run:
        stage_run.finish(counts={})
    return data


@pytest.fixture
def data(made, tmp_path):
    home = tmp_path / "data"
    shutil.copytree(made, home)
    assert all(holds(home / stage.value, WORDS) for stage in STAGES)
    return home


def make_again(data: Path) -> None:
    clean(CleanSettings(), data)
    corpus(CorpusSettings(), data)


async def rate_again(book: Casebook, mark: int, *, consent: bool) -> None:
    visitor = await find_visitor(book, "one")
    (conversation,) = await talk.list_conversations(book, visitor)
    found = await talk.read_conversation(book, visitor, conversation.id)
    answer = next(one for one in found.messages if one.text.reveal() == LONG)
    await rate(book, visitor, answer.id, mark, consent=consent)


async def take_back(book: Casebook) -> None:
    await rate_again(book, 1, consent=False)


async def erase(book: Casebook) -> None:
    await erase_visitor(book, await find_visitor(book, "one"))


def in_danger(data: Path) -> None:
    async def story(book: Casebook) -> None:
        visitor = await find_visitor(book, "one")
        (conversation,) = await talk.list_conversations(book, visitor)
        danger = said("不想活了", "key-0002", Level.RISK)
        await talk.say(book, visitor_id=visitor, conversation_id=conversation.id, said=danger)

    tell(data, story)
    run(SETTINGS, data, remake=refresh)


def rated_between(data: Path) -> None:
    tell(data, lambda book: rate_again(book, 3, consent=True))
    run(SETTINGS, data, remake=refresh)
    make_again(data)


def killed_between_the_renames(data: Path) -> None:
    stage = stage_folder(data, Stage.FEEDBACK)
    (stage / "casebook").rename(stage / ".casebook.old")


@pytest.mark.parametrize(
    ("between", "end"),
    [
        (in_danger, take_back),
        (in_danger, erase),
        (rated_between, take_back),
        (killed_between_the_renames, take_back),
    ],
)
def test_what_is_allowed_no_more_goes_though_the_run_before_did_not_hold_it(data, between, end):
    between(data)
    assert holds(data / Stage.CLEANED.value, WORDS)
    tell(data, end)
    manifest = run(SETTINGS, data, remake=refresh)
    assert not any(holds(data / stage.value, WORDS) for stage in STAGES)
    assert manifest.details["withdrawn"] == {"rows": 2, "models": ["m"]}
    assert all(holds(data / stage.value, OTHERS) for stage in STAGES)
    assert list(balanced(data))


def test_what_a_copy_brings_back_goes_though_nothing_else_changed(data):
    before = data.parent / "copy"
    shutil.copytree(data / Stage.CLEANED.value, before)
    tell(data, take_back)
    first = run(SETTINGS, data, remake=refresh)
    shutil.rmtree(data / Stage.CLEANED.value)
    before.rename(data / Stage.CLEANED.value)
    again = run(SETTINGS, data, remake=refresh)
    assert not holds(data / Stage.CLEANED.value, WORDS)
    assert (again.content_hash, again.details["withdrawn"]["rows"]) == (first.content_hash, 1)


def test_a_cleaning_that_broke_off_does_not_keep_what_left_the_run(data):
    cleaned = current_run(data, Stage.CLEANED)
    half = cleaned.with_name("cleaned-half")
    shutil.copytree(cleaned, half)
    (half / "manifest.json").unlink()
    tell(data, lambda book: rate_again(book, 3, consent=True))
    with locked(data, Stage.CLEANED), pytest.raises(StageBusy):
        run(SETTINGS, data, remake=refresh)
    run(SETTINGS, data, remake=refresh)
    assert not half.exists()
    assert cleaned.exists()


def test_what_a_kill_left_beside_an_unchanged_run_goes(data):
    stage = stage_folder(data, Stage.FEEDBACK)
    for name in (".casebook.partial", ".casebook.old"):
        shutil.copytree(stage / "casebook", stage / name)
    first = read_manifest(stage / "casebook")
    assert run(SETTINGS, data, remake=refresh) == first
    assert [path.name for path in stage.iterdir() if path.is_dir()] == ["casebook"]
