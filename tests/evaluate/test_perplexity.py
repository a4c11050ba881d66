"""Perplexity against a uniform model, torch's cross entropy by hand, and sums."""

import math
from pathlib import Path

import pytest

from psyllm.evaluate.perplexity import Surprise, perplexity_figures, surprises
from psyllm.evaluate.questions import Asked
from psyllm.lm.template import Message

ASKED = [
    Asked("a", (Message("visitor", "最近睡不着，怎么办？"),), ("先慢慢呼吸。",)),
    Asked("b", (Message("visitor", "和父母吵架了。"),), ("听起来很难过。", "可以先停下来，再说说。")),
]


@pytest.fixture
def uniform_model(tiny_model: Path, tmp_path: Path) -> tuple[Path, int]:
    """A model that finds every token equally likely, and its number of tokens."""
    import torch

    from psyllm.lm.checkpoint import load, save

    found = load(tiny_model)
    with torch.no_grad():
        for weights in found.model.parameters():
            weights.zero_()
    save(tmp_path / "uniform", found.model, found.tokenizer, context_tokens=found.context_tokens)
    return tmp_path / "uniform", found.model.config.vocab_size


def test_a_uniform_model_is_as_perplexed_as_its_vocabulary_is_large(uniform_model):
    folder, vocabulary = uniform_model
    figures = perplexity_figures(surprises(folder, ASKED, threads=1), samples=50, seed=1)
    assert figures["perplexity_tokens"] == pytest.approx((vocabulary,) * 3, rel=1e-5)


def test_it_equals_cross_entropy_by_hand(tiny_model):
    import torch

    from psyllm.lm.checkpoint import load
    from psyllm.lm.template import COUNSELLOR, END, VISITOR

    found = load(tiny_model)
    encode, mark = found.tokenizer.encode, found.tokenizer.mark
    question = ASKED[0]
    prompt = [mark(VISITOR), *encode(question.prompt[0].text), mark(COUNSELLOR)]
    answer = [*encode(question.references[0]), mark(END)]
    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        logits = found.model(input_ids=ids, use_cache=False).logits[0].float()
    wanted = torch.nn.functional.cross_entropy(
        logits[len(prompt) - 1 : -1], ids[0, len(prompt) :], reduction="sum"
    )
    [surprise] = surprises(tiny_model, [question], threads=1)
    assert surprise.nll_nats == pytest.approx(float(wanted), rel=1e-5)
    assert surprise.tokens == len(answer)


def test_all_answers_of_a_question_count_in_one_record(tiny_model):
    together = surprises(tiny_model, ASKED, threads=1)[1]
    apart = surprises(tiny_model, [ASKED[1]._replace(references=(one,)) for one in ASKED[1].references], 1)
    assert together.chars == sum(len(text) for text in ASKED[1].references)
    assert together.bytes == sum(len(text.encode()) for text in ASKED[1].references)
    assert together.tokens == sum(one.tokens for one in apart)
    assert together.nll_nats == pytest.approx(sum(one.nll_nats for one in apart), rel=1e-6)


def test_hand_worked_figures():
    # 3 records: 30 nats over 10 tokens, 15 characters, 45 bytes.
    found = [Surprise(10.0, 4, 5, 15), Surprise(5.0, 2, 4, 12), Surprise(15.0, 4, 6, 18)]
    figures = perplexity_figures(found, samples=200, seed=1)
    assert figures["perplexity_tokens"].value == pytest.approx(math.exp(3))
    assert figures["nats_per_char"].value == pytest.approx(2)
    assert figures["bits_per_char"].value == pytest.approx(2 / math.log(2))
    assert figures["bits_per_byte"].value == pytest.approx(2 / 3 / math.log(2))
    for figure in figures.values():
        assert figure.low <= figure.value <= figure.high
