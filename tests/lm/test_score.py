"""Scores are the sums a hand would make, over the last answer, whatever its length."""

import torch

from psyllm.core.progress import listening
from psyllm.lm.score import score, score_one
from psyllm.lm.template import COUNSELLOR, END, VISITOR, Message

TALK = [
    Message("visitor", "我最近觉得很累"),
    Message("counsellor", "可以慢慢说"),
    Message("visitor", "工作压力"),
    Message("counsellor", "听起来你很辛苦，休息一下好吗。"),
]


def by_hand(checkpoint, ids, first):
    """Return the nats of ids[first:], one plain forward pass, no packing."""
    with torch.no_grad():
        logits = checkpoint.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    spread = torch.log_softmax(logits.double(), -1)
    return -sum(spread[place - 1, ids[place]].item() for place in range(first, len(ids)))


def test_a_score_is_the_last_answers_nats_tokens_and_characters(tiny):
    tokenizer = tiny.tokenizer
    ids = []
    for message in TALK[:3]:
        ids += [tokenizer.mark(VISITOR if message.role == "visitor" else COUNSELLOR)]
        ids += tokenizer.encode(message.text)
        ids += [tokenizer.mark(END)] if message.role == "counsellor" else []
    ids += [tokenizer.mark(COUNSELLOR)]
    first = len(ids)
    ids += [*tokenizer.encode(TALK[3].text), tokenizer.mark(END)]
    found = score_one(tiny, TALK)
    assert abs(found.nll_nats - by_hand(tiny, ids, first)) < 1e-3
    assert found.tokens == len(ids) - first
    assert found.chars == len(TALK[3].text)


def test_what_comes_after_the_last_answer_does_not_count(tiny):
    assert score_one(tiny, [*TALK, Message("visitor", "谢谢")]) == score_one(tiny, TALK)


def test_an_answer_longer_than_the_context_is_scored_whole(tiny):
    long = [TALK[0], Message("counsellor", "听起来你很辛苦，" * 60)]
    found = score_one(tiny, long)
    assert found.tokens == len(tiny.tokenizer.encode(long[1].text)) + 1 > 2 * tiny.context_tokens
    assert found.chars == 480
    # an untrained model finds every token about as unlikely
    assert abs(found.nll_nats / found.tokens - torch.tensor(tiny.tokenizer.size).log().item()) < 0.5


def test_a_long_question_gives_way_to_the_answer(tiny):
    long = [Message("visitor", "我最近觉得很累，" * 60), TALK[3]]
    assert score_one(tiny, long).tokens == score_one(tiny, TALK).tokens


def test_scoring_reports_and_keeps_the_order(tiny_folder):
    seen = []
    with listening(seen.append):
        found = score(tiny_folder, [TALK, TALK[:2]], threads=1)
    assert [one.chars for one in found] == [len(TALK[3].text), len(TALK[1].text)]
    assert seen[-1].done == seen[-1].total == 2


def test_a_model_that_knows_an_answer_by_heart_is_hardly_surprised(memorised):
    known = [Message("visitor", "我最近总是睡不好"), Message("counsellor", "睡不好的日子确实很难熬。")]
    changed = [known[0], Message("counsellor", "睡不好的日子确实很快活。")]
    found = score(memorised, [known, changed], threads=1)
    assert found[0].nll_nats < found[1].nll_nats
