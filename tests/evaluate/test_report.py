"""The report is one page that hides nothing, loads nothing and repeats byte for byte."""

import json
import re
from html.parser import HTMLParser

import pytest

from evaluate.world import question
from psyllm.core.settings import EvaluateSettings
from psyllm.core.stages import Manifest, Parent
from psyllm.evaluate.against import NotCompared
from psyllm.evaluate.baselines import Found
from psyllm.evaluate.findings import COLUMNS, MODEL, NEAREST, PEOPLE, RANDOM, Counts, Findings
from psyllm.evaluate.guarding import Judged
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.losses import Curves
from psyllm.evaluate.page import read_metrics, read_table, shown_figure
from psyllm.evaluate.questions import questions_of
from psyllm.evaluate.report import Origin, render_report, write_report
from psyllm.evaluate.sample import Drawn

ASKED = list(questions_of(question(number, split="test", answers=1 + number % 2) for number in range(5)))
HOSTILE = "<script>alert(1)</script><img src=http://example.org/x>"
PASSED, STOPPED = Judged(passed=True, reasons=()), Judged(passed=False, reasons=("loop", "short"))
MODEL_ONLY = {"perplexity_tokens", "nats_per_char", "bits_per_char", "bits_per_byte", "ended_percent"}
ROUGE = {"rouge_l_chars_percent", "rouge_l_words_percent"}
VOID = {"meta", "link", "img", "br", "input", "hr"}


@pytest.fixture
def findings() -> Findings:
    keys = {metric["key"] for metric in read_metrics()}
    held = {
        MODEL: keys,
        NEAREST: keys - MODEL_ONLY,
        RANDOM: keys - MODEL_ONLY,
        PEOPLE: keys - MODEL_ONLY - ROUGE,
    }
    figures = {
        column: {key: Interval(12.345678, 11.0, 13.0) for key in sorted(held[column])} for column in COLUMNS
    }
    drawn = [Drawn(f"模型的第{place}个回答", "end", place) for place in range(5)]
    drawn[1] = Drawn(HOSTILE, "length", 1)
    looked_up = {
        NEAREST: [Found(f"近{place}", "train:01", 0.5) for place in range(5)],
        RANDOM: [Found(f"随机{place}", "train:02", None) for place in range(5)],
    }
    judged = {column: [PASSED] * 5 for column in COLUMNS}
    judged[MODEL] = [PASSED, STOPPED, PASSED, PASSED, PASSED]
    return Findings(ASKED, drawn, looked_up, judged, figures, Counts(9, 7, 5, 20))


@pytest.fixture
def origin() -> Origin:
    corpus = Manifest(
        stage="3_corpus",
        run="split-abc",
        fingerprint="f1a9e4",
        content_hash="c0ffee",
        counts={"train": 20, "dev": 3, "test": 11},
        parents=(Parent(stage="2_cleaned", run="clean-xyz", content_hash="c1ea4"),),
    )
    model = Manifest(
        stage="4_models",
        run="model-abc",
        fingerprint="f1b0",
        content_hash="ba5e",
        versions={"torch": "2.13.0"},
        details={"threads": 2, "stages": {"adapt": {"best_loss": 5.123456}}, "tokens_per_s": 1800},
        finished_at="2026-11-23T10:00:00+00:00",
        seconds=61.5,
        peak_rss_mb=900,
    )
    curves = [Curves(stage, ((1, 8.0), (2, 7.0)), ((2, 7.5),)) for stage in ("adapt", "answer")]
    return Origin(model, corpus, EvaluateSettings(shown=3), curves)


class Page(HTMLParser):
    """Collects what a page would load, its texts, and elements left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes[tag] = dict(attrs)
        self.loads += [value for name, value in attrs if name in {"src", "href", "data", "action", "srcset"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_the_same_bytes_twice(findings, origin):
    assert render_report(findings, origin) == render_report(findings, origin)


def test_the_terms_that_the_model_inherits_stand_on_the_page(findings, origin):
    assert "未知" in render_report(findings, origin)
    permit = {"uses": "research", "expires": "2027-06-30", "share_alike": False, "sources": []}
    details = {"lineage": {"permit": permit, "base_lineage": None}}
    bound = origin._replace(model=origin.model.model_copy(update={"details": details}))
    page = render_report(findings, bound)
    assert "仅限研究" in page
    assert "2027-06-30" in page


def test_a_free_corpus_does_not_hide_the_terms_of_the_base(findings, origin):
    free = {"uses": "any", "expires": "", "share_alike": False, "sources": []}
    of_base = {"uses": "non_commercial", "expires": "2027-06-30", "share_alike": False, "sources": []}
    update = {
        "details": {"lineage": {"permit": free, "base_lineage": {"permit": of_base}}},
        "parents": (Parent(stage="base", run="gpt2", content_hash="ba5e"),),
    }
    page = render_report(findings, origin._replace(model=origin.model.model_copy(update=update)))
    assert "非商业" in page
    assert "<td>不限</td>" not in page


def test_a_model_that_could_not_be_compared_with_is_named_with_the_reason(findings, origin, tmp_path):
    other = NotCompared("base-1", "it is not there any more")
    write_report(tmp_path, findings, origin._replace(other=other))
    assert "it is not there any more" in (tmp_path / "report.html").read_text("utf-8")
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert metrics["against"] == {"model": "base-1", "not_compared": "it is not there any more"}
    assert 'href="#against"' not in render_report(findings, origin)


def test_the_page_loads_nothing(findings, origin):
    text = render_report(findings, origin)
    page = Page(text)
    assert page.open == []
    assert all(target.startswith("#") for target in page.loads)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
    # The one address on the page is what the hostile answer wrote, as plain words.
    assert text.count("http") == text.count("&lt;img src=http://example.org/x&gt;")


def test_what_a_model_says_stays_text(findings, origin):
    page = Page(render_report(findings, origin))
    assert HOSTILE in "".join(page.texts)


def test_every_link_leads_to_a_place_on_the_page(findings, origin):
    text = render_report(findings, origin)
    targets = {target[1:] for target in Page(text).loads}
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert targets <= set(ids)
    assert len(ids) == len(set(ids))


def test_every_metric_stands_there_with_its_definition_and_interval(findings, origin):
    text = render_report(findings, origin)
    for metric in read_metrics():
        value, interval = shown_figure(findings.figures[MODEL][metric["key"]], metric["decimals"])
        assert metric["name"] in text
        assert metric["definition"].replace("<|end|>", "&lt;|end|&gt;") in text
        assert f"{value}<small>{interval}</small>" in text


def test_the_papers_figures_are_marked_as_not_comparable(findings, origin):
    text = render_report(findings, origin)
    for number in ("34.56", "38.40", "28.18", "23.56", "4.57", "3.55", "12.74", "9.67"):
        assert f"<td>{number}</td>" in text
    assert "Other data, other split: not comparable." in text
    assert "其他数据、其他划分，不可比" in text
    assert "2307.11991" in text


def test_answers_come_unselected_in_order_with_verdicts(findings, origin):
    text = render_report(findings, origin)
    shown = re.findall(r'<p class="soft"><code>(test:\d+)</code>', text)
    assert shown == [one.id for one in ASKED[:3]]
    assert text.index("模型的第0个回答") < text.index("模型的第2个回答")
    assert "模型的第3个回答" not in text
    assert "（<code>loop、short</code>）" in text
    assert "在长度上限处截断" in text
    assert ASKED[0].references[0] in text


def test_lineage_sizes_and_training_stand_there(findings, origin):
    text = render_report(findings, origin)
    for words in ("c0ffee", "ba5e", "clean-xyz", "2_cleaned", "61.5 秒", "900 MB", "stages.adapt.best_loss"):
        assert words in text
    assert "2026-11-23T10:00:00" in text
    assert "evaluate" in text
    for curves in origin.curves:
        assert f'aria-label="{curves.stage}: loss' in text


def test_the_page_is_chinese_fits_a_phone_and_knows_the_dark(findings, origin):
    text = render_report(findings, origin)
    assert Page(text).attributes["html"] == {"lang": "zh-CN"}
    assert 'content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text


def test_without_training_records_or_losses_the_page_still_stands(findings, origin):
    alone = {MODEL, PEOPLE}
    bare = findings._replace(
        looked_up={},
        judged={column: found for column, found in findings.judged.items() if column in alone},
        figures={column: found for column, found in findings.figures.items() if column in alone},
    )
    text = render_report(bare, origin._replace(curves=[]))
    assert Page(text).open == []
    assert "没有留下损失记录" in text
    assert "两个对照回答" not in text


def test_the_files_beside_it_hold_everything(findings, origin, tmp_path):
    write_report(tmp_path, findings, origin)
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    keys = {metric["key"] for metric in read_metrics()}
    assert set(metrics["figures"][MODEL]) == set(metrics["definitions"]) == keys
    assert metrics["figures"][MODEL]["bits_per_char"] == {"value": 12.345678, "low": 11.0, "high": 13.0}
    assert metrics["guard_reasons"][MODEL] == {"loop": 1, "short": 1}
    assert metrics["paper_not_comparable"] == read_table("paper")
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == [one.id for one in ASKED]
    assert answers[1]["answers"][MODEL] == {
        "text": HOSTILE,
        "finish": "length",
        "seed": 1,
        "guard": {"passed": False, "reasons": ["loop", "short"]},
    }
    assert answers[1]["references"] == list(ASKED[1].references)
    assert (tmp_path / "report.html").read_text("utf-8") == render_report(findings, origin)


def test_figures_are_written_with_their_decimals():
    assert shown_figure(Interval(1234.5, 1000.0, 2000.26), 1) == ("1,234.5", "1,000.0 – 2,000.3")
    assert shown_figure(Interval(0.5, None, None), 2) == ("0.50", "")
    assert shown_figure(Interval(0.5, -0.25, 1200), 2, signed=True) == ("+0.50", "-0.25 – +1,200.00")
