"""The paper's recipe end to end, in small, as a user types it: both published layouts, two stages, one comparison.

The bases are random and tiny and the steps cut down, so no figure here says anything about the real models.
"""

import asyncio
import json
from pathlib import Path

import pytest

from paper_shapes import bases, write_words
from psyllm.cli.main import run
from psyllm.core.settings import Decoding
from psyllm.core.stages import Manifest, Stage, complete_runs, need_current, stage_folder
from psyllm.lm.engine import Engine
from psyllm.lm.model_card import read_card
from psyllm.lm.template import Message

# Six starts of a model's process: about a minute of processor time, and many of the wall on a busy machine.
pytestmark = pytest.mark.timeout(1200)

PATIENCE = 5  # of both presets
# Most pieces, and so half characters, are drawn evenly from a model that knows nothing.
WILD = Decoding(max_new_tokens=40, temperature=3, top_p=1, repetition_penalty=1)
STEPS = {"steps": 4, "warmup_steps": 1, "evaluate_every_steps": 2, "most_dev_rows": 4}
# So fast a rate makes the dev loss rise soon: this one must stop early.
TOO_FAST = {"steps": 90, "warmup_steps": 1, "evaluate_every_steps": 1, "learning_rate": 0.1}
CUT = {
    "paper-pangu-350m": {"adapt": STEPS, "answer": STEPS | TOO_FAST},
    "paper-wenzhong-110m": {"adapt": STEPS, "answer": STEPS},
}
MEASURED = {
    "most_scored": 6,
    "most_generated": 3,
    "shown": 2,
    "bootstrap_samples": 50,
    "decoding.max_new_tokens": 16,
    "threads": 1,
}


def sets(section: str, values: dict[str, object]) -> list[str]:
    """Return `--set` for each of the values."""
    return [word for name, value in values.items() for word in ("--set", f"{section}.{name}={value}")]


def typed(data: Path, *words: str) -> None:
    """Type a command; it must succeed."""
    assert run([*words, "--data", str(data)]) == 0, words


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder in which both models have been trained, measured and compared."""
    root = tmp_path_factory.mktemp("paper")
    folder = root / "data"
    questions, articles = write_words(root / "words")
    typed(folder, "collect", "import", str(questions), "--name", "psyqa", "--licence", "CC0-1.0")
    typed(folder, "collect", "import", str(articles), "--name", "articles", "--licence", "CC0-1.0")
    typed(folder, "clean")
    # the texts are put together from the same few clauses, so all would share runs of characters
    kept = {"most_shared_13grams": 1, "most_of_an_item": 1, "opening_chars": 60, "dev_share": 0.2}
    typed(folder, "corpus", *sets("corpus", kept))
    for preset, base in bases(root / "bases").items():
        cut = [word for stage, values in CUT[preset].items() for word in sets(f"train.{stage}", values)]
        typed(folder, "train", "--base", str(base), "--preset", preset, *cut, "--set", "train.threads=1")
        typed(folder, "evaluate", *sets("evaluate", {**MEASURED, "against": "none"}))
    typed(folder, "evaluate", "compare", *runs(folder), *sets("evaluate", MEASURED))
    return folder


def trained(data: Path) -> dict[str, Manifest]:
    """Return the two models by the name of their preset."""
    found = {Path(model.settings["base"]).name: model for model in complete_runs(data, Stage.MODELS)}
    return {preset: found[preset.removeprefix("paper-")] for preset in CUT}


def runs(data: Path) -> list[str]:
    return [model.run for model in trained(data).values()]


def comparison(data: Path) -> tuple[Path, Manifest]:
    (found,) = (one for one in complete_runs(data, Stage.REPORTS) if one.run.startswith("comparison-"))
    return stage_folder(data, Stage.REPORTS) / found.run, found


@pytest.mark.parametrize("preset", CUT)
def test_both_shapes_went_through_both_stages_in_their_own_words(data, preset):
    model = trained(data)[preset]
    folder = stage_folder(data, Stage.MODELS) / model.run
    assert list(model.details["stages"]) == ["adapt", "answer"]
    assert all(stage["steps"] > 0 and stage["rows"] > 0 for stage in model.details["stages"].values())
    assert (folder / "adapt" / "model" / "model.safetensors").is_file()
    family = "pangu" if "pangu" in preset else "wenzhong"
    assert read_card(folder / "model").template_version == f"{family}-1"
    assert {parent.run for parent in model.parents} >= {preset.removeprefix("paper-")}


def test_early_stopping_ends_a_stage_and_its_best_weights_stay(data):
    models = trained(data)
    stopped = models["paper-pangu-350m"].details["stages"]["answer"]
    assert stopped["steps"] < stopped["planned_steps"] == 90
    assert stopped["steps"] - stopped["best_step"] == PATIENCE
    whole = models["paper-wenzhong-110m"].details["stages"]["answer"]
    assert whole["steps"] == whole["planned_steps"] == 4


@pytest.mark.parametrize("preset", CUT)
def test_the_engine_answers_in_whole_characters_and_ends(data, preset):
    folder = stage_folder(data, Stage.MODELS) / trained(data)[preset].run / "model"

    async def ask() -> list[tuple[str, str]]:
        engine = await Engine.start(folder, threads=1)
        try:
            await engine.ready()
            found = []
            for seed in range(6):
                ticket = await engine.submit([Message("visitor", "我最近总是睡不好，怎么办？")], WILD, seed)
                words = "".join([part async for part in engine.stream(ticket)])
                found.append((words, engine.finish_reason(ticket)))
            return found
        finally:
            await engine.close()

    answers = asyncio.run(ask())
    assert any(words for words, _ in answers)
    for words, reason in answers:
        assert reason in {"end", "length"}
        assert "\ufffd" not in words
        assert words.encode().decode() == words
        assert not any(mark in words for mark in ("<eot>", "<sep>", "<pad>", "<unk>", "<|endoftext|>", "⁇"))


def test_each_was_measured_on_the_test_split(data):
    measured = [one for one in complete_runs(data, Stage.REPORTS) if one.run.startswith("report-")]
    assert {parent.run for one in measured for parent in one.parents if parent.stage == "4_models"} == set(
        runs(data)
    )


def test_their_figures_per_character_stand_side_by_side_in_one_page(data):
    folder, manifest = comparison(data)
    assert set(manifest.files) == {"report.html", "metrics.json", "answers.jsonl"}
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    pangu, wenzhong = runs(data)
    assert metrics["models"] == [pangu, wenzhong]
    for name in (pangu, wenzhong):
        figures = metrics["figures"][name]
        assert figures["nats_per_char"]["low"] < figures["nats_per_char"]["value"]
        assert figures["bits_per_char"]["value"] > 0
        assert {"bits_per_byte", "rouge_l_chars_percent", "distinct_2_chars_equal_size_percent"} <= set(
            figures
        )
    first, second = (metrics["figures"][name]["bits_per_char"]["value"] for name in (pangu, wenzhong))
    assert metrics["changes"][wenzhong]["bits_per_char"]["value"] == pytest.approx(second - first, abs=1e-5)
    # words and the marks between them, against bytes
    spelt = [metrics["figures"][name]["tokens_per_char"]["value"] for name in (pangu, wenzhong)]
    assert spelt[0] < 1.6 < spelt[1]
    assert metrics["figures"][wenzhong]["lost_chars_percent"]["value"] == 0
    page = (folder / "report.html").read_text("utf-8")
    for words in (pangu, wenzhong, "每词元困惑度在不同词表之间不可比", "PanGu 350M", "34.56", "38.40"):
        assert words in page


def test_a_comparison_is_no_report_that_lets_a_model_speak(data):
    in_use, _ = need_current(data, Stage.REPORTS)
    assert in_use.name.startswith("report-")
