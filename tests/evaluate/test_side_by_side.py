"""Models side by side: differences of the same record, one width of letters for all, and no word that no interval shows."""

import json
import math
import re
import shutil

import pytest

from evaluate.world import make_corpus, make_model, question
from psyllm.core.errors import BadSetting, MissingStage
from psyllm.core.stages import Stage, StageRun, current_run, writing
from psyllm.evaluate.comparison_page import told
from psyllm.evaluate.findings import PEOPLE
from psyllm.evaluate.guarding import Judged
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.measure import Resampling
from psyllm.evaluate.perplexity import Surprise
from psyllm.evaluate.questions import questions_of
from psyllm.evaluate.run import compare, run
from psyllm.evaluate.sample import Drawn
from psyllm.evaluate.side_by_side import changes_of, figures_of, fold, spelling_figures
from psyllm.evaluate.spoken import Spoken

DRAWING = Resampling(100, 7)
FILES = {"report.html", "metrics.json", "answers.jsonl"}


def spoken(nats, texts, finish="end", passed=True):
    return Spoken(
        [Surprise(one, 10, 20, 60) for one in nats],
        [Drawn(text, finish, 1) for text in texts],
        [Judged(passed, ())] * len(texts),
    )


def test_differences_are_taken_from_pairs_of_the_same_record():
    first = spoken([12.0, 32.0, 52.0], ["慢慢来", "慢慢来", "慢慢来"], finish="length", passed=False)
    now = spoken([10.0, 30.0, 50.0], ["慢慢来吧", "慢慢来吧", "慢慢来吧"])
    found = changes_of(now, first, [["慢慢来吧"]] * 3, DRAWING)
    assert found["nats_per_char"] == pytest.approx((-0.1, -0.1, -0.1))
    assert found["bits_per_char"].value == pytest.approx(-0.1 / math.log(2))
    assert found["bits_per_byte"].value == pytest.approx(-2 / 60 / math.log(2))
    # 2 * 3 / 7 becomes 1
    assert found["rouge_l_chars_percent"].value == pytest.approx(100 / 7)
    assert found["length_chars"].value == 1
    assert found["ended_percent"].value == found["guard_passed_percent"].value == 100


def test_half_width_commas_are_no_errors():
    asked = list(questions_of([question(1, split="test")]))
    wanted = asked[0].references[0]
    same = spoken([1.0], [fold(wanted)])
    figures = figures_of({"a": same, "b": spoken([1.0], [wanted])}, [Judged(True, ())], asked, DRAWING)
    assert fold(wanted) != wanted
    assert figures["a"]["rouge_l_chars_percent"].value == figures["b"]["rouge_l_chars_percent"].value == 100
    assert (
        figures["a"]["distinct_2_chars_equal_size_percent"]
        == figures[PEOPLE]["distinct_2_chars_equal_size_percent"]
    )


def test_a_tokenizer_that_spells_everything_loses_nothing(tiny_model):
    asked = list(questions_of(question(number, split="test") for number in range(2)))
    found = spelling_figures(tiny_model, asked, spoken([1.0, 2.0], ["好", "好"]), DRAWING)
    assert found["lost_chars_percent"].value == 0
    assert found["tokens_per_char"].value == 0.5


@pytest.mark.parametrize(
    ("change", "fewer"),
    [
        (Interval(-0.2, -0.3, -0.1), "b"),
        (Interval(0.2, 0.1, 0.3), "a"),
        (Interval(0.2, -0.1, 0.3), ""),
        (Interval(-0.2, None, None), ""),
    ],
)
def test_fewer_bits_are_said_only_where_the_interval_shows_them(change, fewer):
    found = told("b", change, "a")
    assert found.fewer == fewer
    assert found.has_interval == (change.low is not None)


@pytest.fixture(scope="module")
def two(tmp_path_factory, tiny_model):
    """A data folder with two models of one corpus, the second in use."""
    data = tmp_path_factory.mktemp("two")
    corpus = make_corpus(data)
    make_model(data, tiny_model, corpus.as_parent())
    other = StageRun(data, Stage.MODELS, "model-second", "mark", (corpus.as_parent(),), {})
    with writing(other):
        shutil.copytree(tiny_model, other.folder / "model")
        shutil.copyfile(data / "4_models" / "model-abc" / "metrics.jsonl", other.folder / "metrics.jsonl")
        other.finish(counts={"steps": 1})
    return data


def test_a_model_beside_its_copy_shows_no_difference_and_takes_nothing_into_use(two, small_settings):
    report = run(small_settings, two)
    found = compare(small_settings, two, ["model-abc", "model-second"])
    assert set(found.files) == FILES
    assert found.counts == {
        "models": 2,
        "in_split": 10,
        "scored": 6,
        "answered": 4,
        "left_out": 0,
        "too_short": 0,
    }
    folder = two / "5_reports" / found.run
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert {one["value"] for one in metrics["changes"]["model-second"].values()} == {0}
    assert metrics["figures"]["model-abc"] == metrics["figures"]["model-second"]
    page = (folder / "report.html").read_text("utf-8")
    assert "看不出来" in page
    assert not any(words in page for words in ("<script", "<link", 'src="', 'href="http'))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert 'aria-label="model-abc, adapt: loss' in page
    assert current_run(two, Stage.REPORTS).name == report.run
    again = compare(small_settings, two, ["model-abc", "model-second"])
    assert again == found
    assert current_run(two, Stage.REPORTS).name == report.run


@pytest.mark.parametrize("names", [[], ["model-abc"], ["model-abc", "model-abc"]])
def test_fewer_than_two_models_are_no_comparison(two, small_settings, names):
    with pytest.raises(BadSetting, match="of two or more"):
        compare(small_settings, two, names)


def test_the_split_that_chose_the_checkpoints_is_no_test_even_of_their_own_corpus(two, small_settings):
    with pytest.raises(BadSetting, match="dev split chose the checkpoint") as refused:
        compare(small_settings.model_copy(update={"split": "dev"}), two, ["model-abc", "model-second"])
    assert "evaluate.split=test" in refused.value.next_step


def test_an_unknown_run_is_refused_with_those_that_are_there(two, small_settings):
    with pytest.raises(MissingStage, match=r"no finished run model-x; finished: model-abc, model-second"):
        compare(small_settings, two, ["model-abc", "model-x"])
