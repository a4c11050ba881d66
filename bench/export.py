"""What a smaller size of a model costs: bytes, logits and bits per character, side by side.

Run `python bench/export.py DATA [MOST_DIALOGUES]` on a data folder with a
trained model. Every form that `psyllm train export` knows is written, read back
into fp32 and scored on the same dialogues of the test split: safetensors by our
own loader, GGUF by transformers' reader of it, so that what is measured is what
the form keeps of the weights and not another program's arithmetic.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from psyllm.core.records import read_records
from psyllm.core.stages import Stage, need_current
from psyllm.lm.checkpoint import Checkpoint, load, quiet_transformers
from psyllm.lm.export import DTYPES, GGUF, export
from psyllm.lm.gguf_file import GGUF_FILE
from psyllm.lm.model_card import CONFIG_FILE
from psyllm.lm.score import score_one
from psyllm.lm.template import Message, encode_text, record_messages

MOST_DIALOGUES = 60


def main(data: Path, most: int) -> None:
    torch.set_num_threads(1)
    source = need_current(data, Stage.MODELS)[0] / "model"
    corpus = need_current(data, Stage.CORPUS)[0]
    dialogues = [
        messages for record in read_records(corpus, prefix="test") for messages in record_messages(record)
    ][:most]
    whole = load(source)
    expected = logits(whole, dialogues)
    start = bits(whole, dialogues)
    weights = sum(weight.numel() for weight in whole.model.parameters())
    print(f"{weights:,} weights, {len(dialogues)} dialogues, {start:.4f} bits/character as trained")
    print(f"{'form':<18}{'MB':>8}{'logits off, rms':>17}{'most':>10}{'bits/char':>11}{'more by':>10}")
    for form, dtypes in DTYPES.items():
        for dtype in dtypes:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / "out"
                sizes = export(source, folder, form, dtype).files
                again = read_gguf(folder, source, whole) if form == GGUF else load(folder)
                found = logits(again, dialogues)
            off = torch.cat([one - other for one, other in zip(expected, found, strict=True)])
            now = bits(again, dialogues)
            size = sum(count for name, count in sizes.items() if name.endswith((".safetensors", ".gguf")))
            print(
                f"{form + ' ' + dtype:<18}{size / 1e6:>8.2f}{off.square().mean().sqrt():>17.1e}{off.abs().max():>10.1e}"
                f"{now:>11.4f}{now / start - 1:>10.4%}",
                flush=True,
            )


def logits(checkpoint: Checkpoint, dialogues: Sequence[Sequence[Message]]) -> list[torch.Tensor]:
    """Return the logits of every dialogue, cut to the context."""
    model: Any = checkpoint.model
    found = []
    with torch.inference_mode():
        for messages in dialogues:
            ids = encode_text(checkpoint.tokenizer, messages)[: checkpoint.context_tokens]
            found.append(model(torch.tensor([ids]), use_cache=False).logits[0].float())
    return found


def bits(checkpoint: Checkpoint, dialogues: Sequence[Sequence[Message]]) -> float:
    """Return bits per character of the counsellors' last turns."""
    scores = [score_one(checkpoint, messages) for messages in dialogues]
    nats = sum(score.nll_nats for score in scores)
    return nats / math.log(2) / sum(score.chars for score in scores)


def read_gguf(folder: Path, source: Path, whole: Checkpoint) -> Checkpoint:
    """Return the model of a GGUF file with the tokenizer that it was written from."""
    with quiet_transformers():
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=GGUF_FILE,
            config=AutoConfig.from_pretrained(source / CONFIG_FILE),
            local_files_only=True,
            dtype=torch.float32,
        )
    return Checkpoint(model.train(mode=False), whole.tokenizer, whole.card)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else MOST_DIALOGUES)
