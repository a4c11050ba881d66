"""Each stage learns what it should and nothing it may not."""

import pytest

from psyllm.core.errors import BadSetting
from psyllm.core.records import write_records
from psyllm.lm.template import END, NOT_LEARNT, Message
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.material import Material, adapt_rows, answer_rows, read_material
from train.conftest import dialogue, document, question

LENGTH = 64
PAIR = [Message("visitor", "问题问题"), Message("counsellor", "回答回答回答")]
TOKENIZER = train_tokenizer(["问题回答文件说明一般甲乙丙丁" * 3, "问题回答文件说明一般甲乙丙丁"], 400)


def rows(material, **more):
    return adapt_rows(TOKENIZER, material, LENGTH, general_share=more.pop("share", 0.0), seed=1)


def text_of(some):
    return TOKENIZER.decode(some.ids.reshape(-1).tolist())


def test_records_that_may_not_be_trained_on_never_enter(tmp_path):
    records = [question(1), question(2, may_train=False), document(1), dialogue(1)]
    write_records(records, tmp_path, prefix="train")
    found = read_material(tmp_path, "train")
    assert (found.records, found.refused) == (3, 1)
    assert len(found.dialogues) == 2
    assert not any(records[1].title in text for text in found.texts())
    assert any(records[0].title in text for text in found.texts())


def test_an_absent_split_is_empty(tmp_path):
    assert read_material(tmp_path, "dev") == Material()


def test_where_documents_are_few_the_dialogues_are_read_too():
    few = Material(documents=["文件"], dialogues=[PAIR] * 4)
    many = Material(documents=["文件说明" * 20], dialogues=[PAIR])
    assert "回答" in text_of(rows(few))
    assert "文件" in text_of(rows(few))
    assert "回答" not in text_of(rows(many))


def test_adapt_learns_all_words_and_each_texts_end():
    found = rows(Material(documents=["文件", "说明"], dialogues=[PAIR] * 4))
    assert (found.labels != NOT_LEARNT).sum() == (found.ids != 0).sum() - len(found.ids)
    assert (found.ids == TOKENIZER.mark(END)).sum() == 6


def test_answers_learn_the_counsellors_words_only():
    found = answer_rows(TOKENIZER, [PAIR, PAIR], LENGTH, "task")
    learnt = found.labels[found.labels != NOT_LEARNT].tolist()
    assert TOKENIZER.decode(learnt) == "回答回答回答" * 2
    assert learnt.count(TOKENIZER.mark(END)) == 2


def test_general_text_enters_only_as_the_share_that_is_asked_for():
    material = Material(documents=["文件说明" * 40], general=["一般" * 400])
    none, half = rows(material), rows(material, share=0.5)
    assert "一般" not in text_of(none)
    assert len(half.ids) == 2 * len(none.ids)
    assert "文件" in text_of(half)
    assert "文件" not in text_of(rows(material, share=1.0))
    with pytest.raises(BadSetting, match="no source is named 'general'"):
        rows(Material(documents=["文件"]), share=0.2)


def test_the_source_general_is_kept_apart(tmp_path):
    write_records([document(1), document(2, source="general")], tmp_path, prefix="train")
    found = read_material(tmp_path, "train")
    assert (len(found.documents), len(found.general)) == (1, 1)
