"""Models are compared only on records that none of them is known to have learnt from."""

import pytest

from evaluate.world import dialogue, make_corpus, question
from psyllm.core.errors import MissingStage
from psyllm.core.permits import BASE
from psyllm.core.records import Answer, Turn, write_records
from psyllm.core.stages import Manifest, Parent, Stage, StageRun, writing
from psyllm.evaluate.learnt_from import check_unseen, learnt_from


def other_corpus(data, train, name="split-other", dev=()):
    run = StageRun(data, Stage.CORPUS, name, name, (), {})
    with writing(run):
        write_records(train, run.folder, prefix="train")
        write_records(dev, run.folder, prefix="dev")
        return run.finish(counts={"train": len(train)})


def model(corpus, run="model-b", **fields):
    parents = (corpus.as_parent(), *fields.pop("bases", ()))
    return Manifest(stage="4_models", run=run, fingerprint="f", parents=parents, **fields)


def renamed(record, **changes):
    return record.model_copy(update={"id": "new:1", "group": "new:1", **changes})


def test_models_of_one_corpus_may_be_compared(tmp_path):
    corpus = make_corpus(tmp_path)
    assert check_unseen([model(corpus), model(corpus, "model-c")], corpus, "test", tmp_path) == []


def test_another_corpus_will_do_where_it_holds_none_of_the_records(tmp_path):
    other = other_corpus(tmp_path, [question(90, split="elsewhere")])
    assert check_unseen([model(other)], make_corpus(tmp_path), "test", tmp_path) == []


ANSWER = "关于睡眠，可以先停下来慢慢呼吸，和信任的人说说，再看看明天，" * 3


@pytest.mark.parametrize(
    "leaked",
    [
        question(3, split="test"),
        question(90, split="elsewhere").model_copy(update={"group": "test:03"}),
        renamed(question(3, split="test")),
        renamed(
            dialogue(1, split="test"),
            turns=tuple(
                Turn(role=turn.role, text=f" {turn.text}\n") for turn in dialogue(1, split="test").turns
            ),
        ),
    ],
    ids=["id", "group", "words of a question", "words of a dialogue"],
)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_model_that_learnt_from_the_split_is_refused_by_number(tmp_path, leaked, split):
    rest = [question(90, split="far")]
    corpora = {"train": ([leaked], rest), "dev": (rest, [leaked])}
    train, dev = corpora[split]
    other = other_corpus(tmp_path, train, dev=dev)
    with pytest.raises(MissingStage, match=r"model-b has learnt from 1 of the 11 test records") as caught:
        check_unseen([model(other)], make_corpus(tmp_path), "test", tmp_path)
    assert "psyllm train --data" in caught.value.next_step
    assert "split-abc" in caught.value.next_step
    assert "睡眠" not in caught.value.message


def test_what_may_not_be_trained_on_was_not_learnt(tmp_path):
    other = other_corpus(tmp_path, [question(3, split="test").model_copy(update={"may_train": False})])
    assert check_unseen([model(other)], make_corpus(tmp_path), "test", tmp_path) == []


def test_a_long_answer_in_other_hands_is_known_again(tmp_path):
    one = question(90, split="far").model_copy(update={"answers": (Answer(text=ANSWER),)})
    run = StageRun(tmp_path, Stage.CORPUS, "split-long", "m", (), {})
    with writing(run):
        write_records([one], run.folder, prefix="test")
        corpus = run.finish(counts={})
    other = other_corpus(tmp_path, [question(91, split="near").model_copy(update={"answers": one.answers})])
    with pytest.raises(MissingStage, match="1 of the 1 test records"):
        check_unseen([model(other)], corpus, "test", tmp_path)


def test_a_corpus_that_can_not_be_looked_into_is_refused(tmp_path):
    gone = Manifest(stage="3_corpus", run="split-gone", fingerprint="f", content_hash="60e")
    with pytest.raises(MissingStage, match="split-gone, which is no longer there"):
        check_unseen([model(gone)], make_corpus(tmp_path), "test", tmp_path)


def test_what_a_base_learnt_counts_too_and_what_nobody_knows_is_named(tmp_path):
    corpus = make_corpus(tmp_path)
    seen = other_corpus(tmp_path, [question(3, split="test")])
    base = Parent(stage=BASE, run="model-old", content_hash="b")
    below = {"parents": [seen.as_parent().model_dump()], "base_lineage": None}
    led = model(corpus, bases=(base,), details={"lineage": {"base_lineage": below}})
    assert learnt_from(led) == ([corpus.as_parent()], [seen.as_parent()], [])
    with pytest.raises(MissingStage, match="split-other"):
        check_unseen([led], corpus, "test", tmp_path)
    published = model(corpus, bases=(base,), details={"lineage": {"base_lineage": None}})
    assert check_unseen([published], corpus, "test", tmp_path) == ["model-old"]
    assert learnt_from(model(corpus, bases=(base,))).unknown == ["model-old"]
    hub = Parent(stage=BASE, run="gpt", content_hash="c")
    deeper = {"parents": [corpus.as_parent().model_dump(), hub.model_dump()], "base_lineage": None}
    assert learnt_from(
        model(corpus, bases=(base,), details={"lineage": {"base_lineage": deeper}})
    ).unknown == ["gpt"]
