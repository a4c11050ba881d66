"""The bench that plays visitors: whose casebook they come into, whose words it copies, what it says became of them."""

import asyncio
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest

from conftest import ROOT
from psyllm.casebook.open import casebook_path, open_casebook
from psyllm.casebook.place import VARIABLE
from psyllm.core import embedded
from psyllm.core.rated_answers import rated_prefix, write_rated
from psyllm.core.records import write_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Parent, Stage, StageRun, current_run, stage_folder, writing
from psyllm.serve import parts
from psyllm.serve.fitness import Fitness
from psyllm.serve.reply import Speaker
from psyllm.serve.run import Service
from rated import rated
from serve_house import SHELF, FakeEngine, guard_signs

ASKED = "最近加班很多，晚上总是睡不着"
LIKED = ("加班这么多，难怪你累。", "可以先休息一下。")


@pytest.fixture
def bench(monkeypatch):
    """The bench as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import ratings

    yield ratings
    for name in ("ratings", "data_copy"):
        sys.modules.pop(name, None)


@contextmanager
def spoken(monkeypatch, data, engine, **settings):
    """A real service over loopback whose model says what it is told."""

    def start(*_, **__):
        return asyncio.sleep(0, engine)

    def speaker(_, limits, *, last_day=None):
        return Speaker(data, limits, start, guard_signs, last_day=last_day)

    monkeypatch.setattr(parts, "writer", lambda *_, **__: Fitness(data, ""))
    monkeypatch.setattr(parts, "Speaker", speaker)
    with Service(ServeSettings(port=0, **settings), data) as service:
        yield service.url


def put_run(data, stage, name, records, *, parents=(), prefix="part", ratings=(), lineage=None):
    run = StageRun(data, stage, name, "mark", parents, {})
    with writing(run):
        if stage is Stage.MODELS:
            for inside in ("model", "answer", "rows"):
                (run.folder / inside).mkdir()
                (run.folder / inside / "x.bin").write_text(inside)
        write_records(records, run.folder, prefix=prefix)
        write_rated(ratings, run.folder, prefix=rated_prefix("train"))
        details = {"lineage": lineage} if lineage else {}
        return run.finish(counts={}, details=details).as_parent()


@pytest.fixture
def data(tmp_path):
    """A data folder in use: two corpora, a model of the older one, and all that must stay where it is."""
    folder = tmp_path / "data"
    put_run(folder, Stage.COLLECTED, "starter", SHELF)
    put_run(folder, Stage.CLEANED, "cleaned-1", SHELF)
    older = put_run(folder, Stage.CORPUS, "corpus-1", SHELF, prefix="train")
    put_run(folder, Stage.CORPUS, "corpus-2", SHELF, prefix="train")
    put_run(folder, Stage.MODELS, "model-1", (), parents=(older,))
    for name in ("safety/report.json", "casebook/place.json", "reviews/starter.jsonl", "raw/pages.gz"):
        (folder / name).parent.mkdir()
        (folder / name).write_text("{}")
    stage_folder(folder, Stage.FEEDBACK).mkdir()
    (stage_folder(folder, Stage.FEEDBACK) / ".lock").touch()
    (folder / "tombstones.jsonl").write_text("{}")
    return folder


def test_only_what_the_next_model_is_made_of_is_copied(bench, data, tmp_path):
    bench.copy_data(data, tmp_path / "copy", with_model=True)
    copied = {
        str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()
    }
    assert copied == {
        "tombstones.jsonl",
        "1_collected/starter/manifest.json",
        "1_collected/starter/part-00000.parquet",
        *(f"3_corpus/corpus-{n}/{name}" for n in (1, 2) for name in ("manifest.json", "train-00000.parquet")),
        "3_corpus/current",
        "4_models/current",
        "4_models/model-1/manifest.json",
        "4_models/model-1/model/x.bin",
    }
    for stage in (Stage.CORPUS, Stage.MODELS):
        assert current_run(tmp_path / "copy", stage).name == current_run(data, stage).name
    bench.copy_data(data, tmp_path / "other", with_model=False)
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == [
        *("1_collected", "3_corpus", "tombstones.jsonl"),
    ]
    assert [path.name for path in sorted((tmp_path / "other" / "3_corpus").glob("c*-*"))] == ["corpus-2"]


@pytest.mark.parametrize("where", ["6_feedback", "6_feedback left over", "2_cleaned", "3_corpus", "ratings"])
def test_a_folder_with_peoples_words_is_refused_with_a_next_step(bench, data, tmp_path, where):
    row = rated(1)
    if where == "6_feedback":
        put_run(data, Stage.FEEDBACK, "casebook", [row.record])
    elif where == "6_feedback left over":
        write_records([row.record], stage_folder(data, Stage.FEEDBACK) / ".casebook.old")
    elif where == "ratings":
        put_run(data, Stage.CORPUS, "corpus-9", SHELF, prefix="train", ratings=[row])
    else:
        prefix = "dropped" if where == "2_cleaned" else "dev"
        put_run(data, Stage(where), "run-9", [*SHELF, row.record], prefix=prefix)
    for with_model in (True, False):
        with pytest.raises(
            SystemExit, match=r"give a data folder without people's ratings, .*runs/circle\.sh"
        ):
            bench.copy_data(data, tmp_path / "copy", with_model=with_model)
    assert not (tmp_path / "copy").exists()


def below(corpora, *sources):
    """What a model says of a base that learnt from these corpora under a permit that names these sources."""
    permit = {"uses": "any", "sources": [{"source": source} for source in sources]}
    return {"base_lineage": {"parents": [corpus.model_dump() for corpus in corpora], "permit": permit}}


GONE = Parent(stage=Stage.CORPUS.value, run="corpus-3", content_hash="0")
BASE = Parent(stage="base", run="train-0", content_hash="1")


@pytest.mark.parametrize(
    ("parents", "lineage", "words"),
    [
        ((GONE,), None, "has learnt from corpus-3, which is not there as it was"),
        ((BASE,), below([GONE]), "has learnt from corpus-3, which is not there as it was"),
        ((), {"permit": below([], "starter", "casebook")["base_lineage"]["permit"]}, "names the casebook"),
        ((BASE,), below([], "casebook"), "names the casebook"),
    ],
    ids=["gone", "gone below", "casebook", "casebook below"],
)
def test_a_model_that_may_have_learnt_peoples_words_is_refused(
    bench, data, tmp_path, parents, lineage, words
):
    put_run(data, Stage.MODELS, "model-2", (), parents=parents, lineage=lineage)
    with pytest.raises(SystemExit, match=rf"model-2 .*{words}.*give a data folder without people's ratings"):
        bench.copy_data(data, tmp_path / "copy", with_model=True)
    assert not (tmp_path / "copy").exists()
    bench.copy_data(data, tmp_path / "copy", with_model=False)
    assert not (tmp_path / "copy" / "4_models").exists()


def test_a_model_made_from_the_packages_is_copied_though_that_ones_corpus_is_elsewhere(bench, data, tmp_path):
    lineage = below(embedded.corpora(), "smilechat")
    assert lineage["base_lineage"]["parents"]
    put_run(data, Stage.MODELS, "model-2", (), parents=(BASE,), lineage=lineage)
    bench.copy_data(data, tmp_path / "copy", with_model=True)
    assert current_run(tmp_path / "copy", Stage.MODELS).name == "model-2"


def test_visitors_are_played_into_the_casebook_of_the_copy_whatever_the_environment_says(
    bench, data, tmp_path, monkeypatch, capsys
):
    live = tmp_path / "live.sqlite3"
    asyncio.run(_made(f"sqlite+aiosqlite:///{live}"))
    before = live.read_bytes()
    monkeypatch.setenv(VARIABLE, f"sqlite+aiosqlite:///{live}")
    called = []

    def script(words, **_):
        called.append((words, dict(bench.os.environ)))
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(bench.subprocess, "run", script)
    monkeypatch.setattr(bench, "wait_for_engine", lambda *_: None)
    copy = tmp_path / "copy"
    bench.copy_data(data, copy, with_model=True)
    given = SimpleNamespace(
        base=None, visitors=2, threads=1, set=["serve.database=sqlite+aiosqlite:///elsewhere"]
    )
    with pytest.raises(SystemExit):
        bench.turn(copy, current_run(data, Stage.CORPUS), given)
    assert "2 visitors" in capsys.readouterr().out
    assert live.read_bytes() == before
    assert casebook_path(copy).is_file()
    [(words, environment)] = called
    assert VARIABLE not in environment
    assert words[-2:] == ["--set", f"serve.database=sqlite+aiosqlite:///{casebook_path(copy)}"]


async def _made(url):
    await (await open_casebook(url)).close()


@pytest.mark.parametrize(
    ("engine", "asked", "outcome"),
    [
        (FakeEngine(LIKED), ASKED, "liked"),
        (FakeEngine(("嗯，慢慢来。",)), ASKED, "not liked"),
        (FakeEngine(("先这样。", "禁词。")), ASKED, "generated view: replaced because of guard"),
        (FakeEngine(("先这样。",), dies=True), ASKED, "generated view: replaced because of engine"),
        (FakeEngine(("先这样。", None)), ASKED, "generated view: replaced because of timeout"),
        (FakeEngine(state="failed"), ASKED, "library view: done"),
        (FakeEngine(LIKED), "我不想活了，今晚就从楼上跳下去", "no answer at level "),
        (FakeEngine(LIKED), ASKED * 400, "HTTP 413 PSY-100"),
    ],
    ids=["liked", "not liked", "guard", "engine", "timeout", "library", "level", "error"],
)
def test_what_became_of_a_visitor_is_said_in_the_services_own_words(
    bench, tmp_path, monkeypatch, engine, asked, outcome
):
    with spoken(monkeypatch, tmp_path, engine, generation_timeout_s=1) as url:
        found = bench.visit(url, asked, 1)
    assert found.startswith(outcome) if outcome.endswith(" ") else found == outcome


def test_an_answer_that_takes_too_long_is_no_outcome(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "LONGEST_ANSWER_S", 0.5)
    with (
        spoken(monkeypatch, tmp_path, FakeEngine(("先这样。", None))) as url,
        pytest.raises(TimeoutError, match="still being written"),
    ):
        bench.visit(url, ASKED, 1)


def test_what_no_error_of_ours_refused_counts_by_its_status(bench):
    assert bench.refusal(httpx.Response(502, text="<html>")) == "HTTP 502"
    assert bench.refusal(httpx.Response(409, json={"code": "PSY-504"})) == "HTTP 409 PSY-504"


def test_without_a_model_that_may_write_the_bench_says_why_and_what_next(bench, tmp_path):
    with (
        Service(ServeSettings(port=0, model="none"), tmp_path) as service,
        pytest.raises(SystemExit, match=r"off: nobody trained one; see: psyllm models embedded"),
    ):
        bench.wait_for_engine(service.url, "nobody trained one")


def test_the_difference_is_that_of_pairs(bench, capsys):
    before = [True] * 40 + [False] * 60
    bench.print_liked(before, [True] * 50 + [False] * 50)
    *_, line = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "change +10.0 points [+5.0, +16.0], pair by pair: 10 liked only after, 0 only before"
    )
    bench.print_liked(before, before)
    *_, line = capsys.readouterr().out.splitlines()
    assert line == "change +0.0 points, pair by pair: 0 liked only after, 0 only before"
