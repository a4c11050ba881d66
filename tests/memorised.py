"""A model that has learnt a few answers by heart, for tests that need real words from a real model.

`memorised_model(folder)` takes about five seconds of one core. Asked one of the
questions of `MEMORISED` word for word, alone and at temperature 0 (or nearly),
it gives the answer beside it word for word, and ends.
"""

from collections.abc import Sequence
from pathlib import Path

from psyllm.core.settings import Decoding
from psyllm.core.train_settings import ModelShape
from psyllm.lm.template import Message

MEMORISED: tuple[tuple[str, str], ...] = (
    (
        "我最近总是睡不好",
        "睡不好的日子确实很难熬。可以先把起床的时间固定下来，睡前一小时把手机放远一点。",
    ),
    (
        "考试前我特别紧张",
        "紧张说明你很在意这次考试。先慢慢呼吸几次，再把明天要看的内容写成三行。",
    ),
    (
        "和室友吵架了怎么办",
        "吵架之后心里不舒服是很自然的。等大家都平静一些，再说说你真正在意的是什么。",
    ),
)
WORD_FOR_WORD = Decoding(max_new_tokens=120, temperature=0, top_p=1, repetition_penalty=1)
SHAPE = ModelShape(layers=2, width=64, heads=2, vocabulary=512, context_tokens=256)
MOST_STEPS = 400
GOOD_ENOUGH_NATS = 0.01


def memorised_model(folder: Path, pairs: Sequence[tuple[str, str]] = MEMORISED) -> Path:
    """Write a checkpoint into `folder` that answers each question with its answer; return the folder."""
    import torch

    from psyllm.lm.checkpoint import build, save
    from psyllm.lm.loss import to_batch, token_losses
    from psyllm.lm.pack import pack_blocks
    from psyllm.lm.template import PAD, encode_training
    from psyllm.lm.tokenizer import train_tokenizer

    dialogues = [[Message("visitor", asked), Message("counsellor", answer)] for asked, answer in pairs]
    tokenizer = train_tokenizer([text for pair in pairs for text in pair], SHAPE.vocabulary)
    model = build(SHAPE, tokenizer, seed=7).train()
    context = SHAPE.context_tokens
    examples = [part for one in dialogues for part in encode_training(tokenizer, one, context)]
    batch = to_batch(pack_blocks(examples, context, tokenizer.mark(PAD)))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # two threads of so small a model wait for each other on a busy machine
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0)
    for _ in range(MOST_STEPS):
        losses = token_losses(model, batch)
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if losses.max().item() < GOOD_ENOUGH_NATS:
            break
    torch.set_num_threads(before)
    save(folder, model, tokenizer, context_tokens=context, lineage={"made": "learnt by heart in a test"})
    return folder
