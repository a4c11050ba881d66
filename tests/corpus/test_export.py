import json

import pytest

from made_up import dialogues, questions, write_array, write_lines
from psyllm.clean.run import run as clean
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import BadInput, MissingStage
from psyllm.core.records import Answer, Record, Span, Turn, read_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, current_run, read_manifest
from psyllm.corpus.export import FORM_NAMES, export
from psyllm.corpus.export_forms import conversations, messages_rows, psyqa_rows
from psyllm.corpus.run import run as corpus


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    home = tmp_path_factory.mktemp("export") / "data"
    for name, path in (
        ("chat", write_lines(dialogues(40), home.parent / "chat")),
        ("asked", write_array(questions(40), home.parent / "asked")),
    ):
        collect(CollectSettings(path=path, name=name, licence="CC-BY-4.0"), home)
    pages = home.parent / "pages"
    pages.mkdir()
    for number, value in enumerate(questions(30, seed=5)):
        (pages / f"{number}.md").write_text(
            f"# {value['question']}\n\n{value['answers'][0]['answer_text']}\n"
        )
    collect(CollectSettings(path=pages, name="pages", licence="CC0-1.0"), home)
    clean(CleanSettings(), home)
    corpus(CorpusSettings(), home)
    return home


def side(data, name):
    return list(read_records(current_run(data, Stage.CORPUS), prefix=name))


def turns(*said):
    return tuple(Turn(role=role, text=text) for role, text in said)


def record(**fields):
    return Record(**{"id": "a:1", "kind": "dialogue", "group": "a", "source": "a", "licence": "x", **fields})


def test_psyqa_comes_back_through_our_own_importer(data, tmp_path):
    export("psyqa", data, tmp_path / "out")
    again = tmp_path / "again"
    collect(CollectSettings(path=tmp_path / "out" / "train.json", name="back", licence="x"), again)
    wanted = [one for one in side(data, "train") if one.kind == "question"]
    found = list(read_records(again / "1_collected" / "back"))
    assert [(one.title, one.text, one.keywords, one.answers) for one in found] == [
        (one.title, one.text, one.keywords, one.answers) for one in wanted
    ]


def test_spans_that_cover_the_answer_are_kept_and_others_are_not_claimed():
    whole = Answer(
        text="先听后说。",
        spans=(Span(start=0, end=2, type="Others"), Span(start=2, end=5, type="Information")),
    )
    part = Answer(text="先听后说。", spans=(Span(start=2, end=5, type="Information"),))
    row = next(psyqa_rows(record(kind="question", title="问", answers=(whole, part))))
    assert [answer["has_label"] for answer in row["answers"]] == [True, False]
    assert row["answers"][0]["labels_sequence"][-1] == {"start": 2, "end": 5, "type": "Information"}
    assert row["answers"][1]["labels_sequence"] is None


def test_a_conversation_begins_with_the_visitor_and_ends_with_the_counsellor():
    said = turns(
        ("counsellor", "你好"), ("visitor", "我"), ("visitor", "睡不着"), ("counsellor", "多久了？"), ("visitor", "一月")
    )  # fmt: skip
    assert list(conversations(record(turns=said))) == [
        [("visitor", "我\n睡不着"), ("counsellor", "多久了？")]
    ]
    assert list(messages_rows(record(turns=turns(("counsellor", "你好"), ("visitor", "嗯"))))) == []


@pytest.mark.parametrize("form", ["alpaca", "sharegpt", "messages"])
def test_every_question_and_dialogue_is_a_row_and_documents_are_counted(data, tmp_path, form):
    done = export(form, data, tmp_path / "out")
    asked = sum(
        len(one.answers) or 1
        for name in ("train", "dev", "test")
        for one in side(data, name)
        if one.kind != "document"
    )
    documents = sum(one.kind == "document" for name in ("train", "dev", "test") for one in side(data, name))
    assert sum(done.rows.values()) == asked
    assert done.left_out == {"document": documents}


def test_alpaca_keeps_the_way_of_a_dialogue(data, tmp_path):
    export("alpaca", data, tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "train.json").read_text("utf-8"))
    wanted = next(one for one in side(data, "train") if one.kind == "dialogue")
    texts = [turn.text for turn in wanted.turns]
    row = next(row for row in rows if row["output"] == texts[-1])
    assert [text for pair in row["history"] for text in pair] + [row["instruction"], row["output"]] == texts


def test_llamafactory_finds_its_data_sets_by_its_own_rules(data, tmp_path):
    done = export("llamafactory", data, tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text("utf-8"))
    assert {entry["file_name"] for entry in info.values()} == set(done.rows)
    for recipe in ("adapt", "answer"):
        said = dict(
            line.split(": ", 1) for line in (tmp_path / "out" / f"{recipe}.yaml").read_text().splitlines()
            if ": " in line and not line.startswith("#")
        )  # fmt: skip
        assert {said["dataset"], said["eval_dataset"]} <= set(info)
    for name in ("train", "dev", "test"):
        for row in json.loads((tmp_path / "out" / f"answer_{name}.json").read_text("utf-8")):
            speakers = [turn["from"] for turn in row["conversations"]]
            assert speakers == ["human", "gpt"] * (len(speakers) // 2)
        lines = (tmp_path / "out" / f"adapt_{name}.jsonl").read_text("utf-8").splitlines()
        assert all(json.loads(line)["text"] for line in lines)
    assert sum(done.rows.values()) >= 100
    assert not any(done.left_out.values())


@pytest.mark.parametrize("form", FORM_NAMES)
def test_card_and_terms_travel_with_every_form(data, form):
    done = export(form, data)
    assert done.folder == data / "exports" / form
    facts = json.loads((done.folder / "export.json").read_text("utf-8"))
    assert facts["corpus"] == current_run(data, Stage.CORPUS).name
    assert {term["licence"] for term in facts["terms"]} == {"CC-BY-4.0", "CC0-1.0"}
    assert facts["permit"] == read_manifest(current_run(data, Stage.CORPUS)).details["permit"]
    assert (facts["permit"]["uses"], len(facts["permit"]["sources"])) == ("any", 3)
    assert (done.folder / "card.md").exists()
    assert export(form, data).rows == done.rows


def test_parquet_is_the_records_themselves(data, tmp_path):
    export("parquet", data, tmp_path / "out")
    assert list(read_records(tmp_path / "out", prefix="test")) == side(data, "test")


def test_a_folder_of_somebody_else_is_not_touched(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="is there already and is no export"):
        export("alpaca", data, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_unknown_forms_and_missing_corpora_are_said(data, tmp_path):
    with pytest.raises(BadInput, match="there is no form 'csv'; there are: psyqa, alpaca"):
        export("csv", data)
    with pytest.raises(MissingStage):
        export("alpaca", tmp_path)
