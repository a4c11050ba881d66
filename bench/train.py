"""The training loop beside its peers, in one run: speed, memory, and what is learnt from the same tokens.

    python bench/train.py [--shape gpt2|embedded|350m] [--data CORPUS] [--row-tokens N] [--examples pairs]
                          [--steps N] [--times K] [--cores 0,1] [--only NAME ...] [--peer-python PATH]

Data is the starter corpus, or a folder of `3_corpus`. Every contender starts from the same weights, is given
the same ready ids and labels, sees each example once with about as many tokens in a step, and takes its
steps under the same AdamW and rate; only how the work is done differs:
  ours          `psyllm train` as its settings choose on this machine
  trainer       transformers' Trainer as it is: dynamic padding, fp32
  trainer-best  with alike lengths grouped, and bf16 where the machine computes in it
  trl           TRL's SFT with packing, all else as it is (but bf16, where the machine has none)
  trl-best      with rows cut from one chain and activations kept, its quickest here
  llamafactory  LLaMA-Factory as it is, all weights trained, in an environment of its own (--peer-python)
Each runs in a process of its own on the given cores, K times in turn. Printed are medians and ranges of
tokens that are no padding a second of the wall and of the processor (steadier on a busy machine), learnt
tokens too, the share of places that are no padding, the highest memory, and the loss on held-out rows by one
scorer. On a card also MFU. Dropout is 0: GPT-2's own 0.1 would make losses incomparable.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from contenders import CONTENDERS
from psyllm.core.starter import starter_records
from psyllm.core.train_settings import ModelShape
from psyllm.lm.checkpoint import build, quiet_transformers
from psyllm.lm.loss import summed_loss, to_batch
from psyllm.lm.pack import Rows, pack_blocks
from psyllm.lm.template import END, NOT_LEARNT, PAD, Example, Message, encode_training, record_messages
from psyllm.lm.tokenizer import TOKENIZER_FILE, Tokenizer, train_tokenizer
from psyllm.train.material import read_material
from psyllm.train.peak import operations_a_token, peak_of_this_machine
from psyllm.train.precision import choose_precision, processor_has_bf16, this_card
from training_job import EXAMPLES, RESULT, START, WEIGHTS, Job

HERE = Path(__file__).parent
PEER = "llamafactory"
SEED = 20261123
HELD_OUT_SHARE = 0.1
UNTIMED_STEPS = 2
GOALS = {"trainer": 4.5, "trainer-best": 1.3, "trl": 3.0, PEER: 2.0}  # of the issue; they count on bf16
PEER_HOW = (
    f"{PEER} is left out: make it an environment of its own, then name its Python with --peer-python:\n"
    "  python -m venv .venv-llamafactory\n"
    "  .venv-llamafactory/bin/pip install -r bench/peers/llamafactory.txt\n"
    "  .venv-llamafactory/bin/pip uninstall -y torchvision torchaudio  # only where there is no card"
)


class Shape(NamedTuple):
    """A model and the rows it is trained on."""

    family: str
    sizes: ModelShape
    rows_a_step: int
    learning_rate: float


# The first two are of the trials that the training loop was chosen by, the third is the paper's smallest.
SHAPES = {
    "gpt2": Shape(
        "gpt2", ModelShape(layers=6, width=384, heads=6, vocabulary=8192, context_tokens=256), 8, 1e-3
    ),
    "embedded": Shape(
        "llama", ModelShape(layers=6, width=384, heads=6, vocabulary=8192, context_tokens=320), 12, 1e-3
    ),
    "350m": Shape(
        "gpt2", ModelShape(layers=24, width=1024, heads=16, vocabulary=40000, context_tokens=1024), 8, 3e-4
    ),
}


class Words(NamedTuple):
    """Dialogues to learn from and others to be measured on."""

    train: list[list[Message]]
    held_out: list[list[Message]]


def read_words(corpus: Path | None) -> Words:
    """Return the words of a corpus, of the starter corpus without one."""
    if corpus is not None:
        train, held_out = (read_material(corpus, split).dialogues for split in ("train", "dev"))
        if not train or not held_out:
            sys.exit(f"{corpus} holds no dialogues in its train or its dev split: name a folder of 3_corpus")
        return Words(train, held_out)
    records = list(starter_records())
    random.Random(SEED).shuffle(records)
    apart = round(len(records) * HELD_OUT_SHARE)
    parts = [
        [talk for record in part for talk in record_messages(record)]
        for part in (records[apart:], records[:apart])
    ]
    return Words(*parts)


def in_pairs(dialogues: list[list[Message]]) -> list[list[Message]]:
    """Return each question with its answer as a dialogue of its own."""
    return [
        [first, second]
        for talk in dialogues
        for first, second in pairwise(talk)
        if (first.role, second.role) == ("visitor", "counsellor")
    ]


def examples_of(tokenizer: Tokenizer, dialogues: list[list[Message]], row_tokens: int) -> list[Example]:
    """Return them as ids, in an order that the seed names."""
    found = [one for talk in dialogues for one in encode_training(tokenizer, talk, row_tokens)]
    random.Random(SEED).shuffle(found)
    return found


def that_fill(examples: list[Example], rows: int, row_tokens: int, pad: int) -> list[Example]:
    """Return the first examples that pack into exactly so many rows."""
    low, high = 1, len(examples)
    while low < high:
        middle = (low + high + 1) // 2
        if len(pack_blocks(examples[:middle], row_tokens, pad).ids) <= rows:
            low = middle
        else:
            high = middle - 1
    return examples[:low]


def start_of(shape: Shape, tokenizer: Tokenizer) -> PreTrainedModel:
    """Return an untrained model of the shape."""
    sizes = shape.sizes
    if shape.family == "gpt2":
        config = GPT2Config(
            vocab_size=sizes.vocabulary,
            n_positions=sizes.context_tokens,
            n_embd=sizes.width,
            n_layer=sizes.layers,
            n_head=sizes.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=tokenizer.mark(END),
            pad_token_id=tokenizer.mark(PAD),
            use_cache=False,
        )
        torch.manual_seed(SEED)
        made: PreTrainedModel = GPT2LMHeadModel(config)
        return made
    return build(sizes, tokenizer, SEED)


def write_job(
    folder: Path, job: Job, examples: list[Example], model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    """Write what every contender reads."""
    job.write(folder)
    columns = {"input_ids": [one.ids for one in examples], "labels": [one.labels for one in examples]}
    (folder / EXAMPLES).write_text(json.dumps(columns), "utf-8")
    with quiet_transformers():
        model.save_pretrained(folder / START)
    tokenizer.save(folder / START)
    make: Callable[..., Any] = PreTrainedTokenizerFast
    make(
        tokenizer_file=str(folder / START / TOKENIZER_FILE), pad_token=PAD, eos_token=END, unk_token=None
    ).save_pretrained(folder / START)


def run(name: str, folder: Path, result: Path, cores: str, peer: Path | None) -> dict[str, Any]:
    """Let a contender train in a process of its own and return what it measured."""
    if name == PEER:
        command = [str(peer), str(HERE / "peers" / "llamafactory_train.py"), str(folder), str(result)]
    else:
        command = [sys.executable, str(HERE / "contenders.py"), name, str(folder), str(result)]
    named = {
        "OMP_NUM_THREADS": str(len(cores.split(","))),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    paths = os.pathsep.join(
        filter(None, [str(HERE), "" if name == PEER else os.environ.get("PYTHONPATH", "")])
    )
    told = {**os.environ, **named, "PYTHONPATH": paths}
    done = subprocess.run(
        ["taskset", "-c", cores, *command], capture_output=True, text=True, env=told, check=False
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads((result / RESULT).read_text("utf-8"))
    return found


def held_out_loss(model: PreTrainedModel, rows: Rows, weights: Path | None) -> float:
    """Return nats a learnt token."""
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    model.train(mode=False)
    total = 0.0
    with torch.no_grad():
        for row in range(len(rows.ids)):
            total += float(summed_loss(model, to_batch(rows.take([row]))))
    return total / rows.learnt_tokens


def spread(values: list[float]) -> str:
    """Return a median and a range."""
    middle = f"{statistics.median(values):,.0f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.0f}-{max(values):,.0f})"


def table(found: dict[str, list[dict[str, Any]]], losses: dict[str, float], learnt: float) -> None:
    """Print a line for each contender and what ours is to it."""
    first = found["ours"]
    print(
        f"\n{'':14}{'tokens/s wall':>22}{'tokens/s CPU':>22}{'learnt/s CPU':>14}{'fill':>7}{'MB':>7}{'steps':>7}{'precision':>11}{'loss':>8}{'to ours':>9}"
    )
    for name, runs in found.items():
        wall, cpu = ([one["tokens"] / one[clock] for one in runs] for clock in ("wall_s", "cpu_s"))
        one = runs[0]
        peak = max(one["peak_bytes"].get("card", one["peak_bytes"]["process"]) for one in runs) / 1e6
        print(
            f"{name:14}{spread(wall):>22}{spread(cpu):>22}{statistics.median(cpu) * learnt:14,.0f}{one['fill']:7.3f}"
            f"{peak:7,.0f}{one['steps']:7}{one['precision']:>11}{losses[name]:8.3f}{losses[name] / losses['ours']:9.3f}"
        )
    print(f"\n{'ours is':14}{'wall':>8}{'CPU':>8}{'goal':>8}")
    for name, runs in found.items():
        if name != "ours":
            ratios = [
                statistics.median([one["tokens"] / one[clock] for one in first])
                / statistics.median([one["tokens"] / one[clock] for one in runs])
                for clock in ("wall_s", "cpu_s")
            ]
            goal = f"{GOALS[name]:8.1f}" if name in GOALS else ""
            print(f"{ratios[0]:8.2f}{ratios[1]:8.2f}{goal:8}  times {name}")


def share_of_peak(model: PreTrainedModel, job: Job, runs: list[dict[str, Any]]) -> None:
    """Print MFU on a card, the share of a measured peak on a processor."""
    torch.set_num_threads(job.threads)
    peak = peak_of_this_machine(job.precision)
    speed = statistics.median([one["tokens"] / one["wall_s"] for one in runs])
    if peak.operations_per_s:
        share = speed * operations_a_token(model, job.row_tokens) / peak.operations_per_s
        print(
            f"{'MFU' if peak.is_card else 'share of the measured peak of the processor'} of ours: {share:.1%}"
        )


def precision_of_this_machine() -> str:
    """Return what the settings choose, and print why."""
    card = this_card()
    chosen = choose_precision("auto", card, processor_has_bf16=processor_has_bf16())
    what = card.name if card else f"a processor {'with' if processor_has_bf16() else 'without'} avx512_bf16"
    print(f"{what}: {chosen} where a contender chooses by the machine; trainer and {PEER} take fp32 unasked")
    if chosen == "fp32":
        print("the goals count on bf16 arithmetic, which this machine does not have")
    return chosen


def main() -> None:
    """Prepare, let all train in turn, score and print."""
    given = asked()
    shape = SHAPES[given.shape]
    row_tokens = given.row_tokens or shape.sizes.context_tokens
    shape = shape._replace(sizes=shape.sizes.model_copy(update={"context_tokens": row_tokens}))
    words = read_words(given.data)
    if given.examples == "pairs":
        words = Words(in_pairs(words.train), in_pairs(words.held_out))
    texts = [message.text for talk in words.train for message in talk]
    tokenizer = train_tokenizer(texts, shape.sizes.vocabulary)
    pad = tokenizer.mark(PAD)
    every = examples_of(tokenizer, words.train, row_tokens)
    steps = min(given.steps, len(pack_blocks(every, row_tokens, pad).ids) // shape.rows_a_step)
    if steps <= UNTIMED_STEPS:
        sys.exit("the corpus fills too few rows: take shorter ones with --row-tokens, or another with --data")
    examples = that_fill(every, steps * shape.rows_a_step, row_tokens, pad)
    job = Job(
        row_tokens=row_tokens,
        rows_a_step=shape.rows_a_step,
        examples_a_step=-(-len(examples) // steps),
        steps=steps,
        untimed_steps=UNTIMED_STEPS,
        learning_rate=shape.learning_rate,
        weight_decay=0.1,
        warmup_steps=min(10, steps // 2),
        pad=pad,
        precision=precision_of_this_machine(),
        threads=len(given.cores.split(",")),
        seed=SEED,
    )
    model = start_of(shape, tokenizer)
    tokens = sum(len(one.ids) for one in examples)
    learnt = sum(label != NOT_LEARNT for one in examples for label in one.labels[1:])
    print(
        f"{given.shape}: {sum(weight.numel() for weight in model.parameters()):,} weights, rows of {row_tokens}, "
        f"{len(examples):,} {given.examples} of {tokens / len(examples):.0f} tokens in the mean, {learnt / tokens:.0%} learnt\n"
        f"{tokens:,} tokens, {job.steps} steps of {job.rows_a_step} rows or {job.examples_a_step} {given.examples}, "
        f"the first {UNTIMED_STEPS} not timed; {given.times} times in turn on cores {given.cores}",
        flush=True,
    )
    held_out = pack_blocks(examples_of(tokenizer, words.held_out, row_tokens), row_tokens, pad).sample(
        given.held_out, SEED
    )
    names = [name for name in (*CONTENDERS, PEER) if name == "ours" or not given.only or name in given.only]
    if given.peer_python is None and PEER in names:
        names.remove(PEER)
        print(PEER_HOW)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_job(folder, job, examples, model, tokenizer)
        losses = {"start": held_out_loss(model, held_out, None)}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for time in range(given.times):
            for name in names:
                result = folder / f"{name}-{time}"
                found[name].append(run(name, folder, result, given.cores, given.peer_python))
                if name not in losses:
                    losses[name] = held_out_loss(model, held_out, result / WEIGHTS)
                (result / WEIGHTS).unlink()
    print(
        f"loss before training {losses['start']:.3f} nats a learnt token, on {len(held_out.ids)} held-out rows"
    )
    table(found, losses, learnt / tokens)
    share_of_peak(model, job, found["ours"])


def asked() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, default="gpt2")
    parser.add_argument("--data", type=Path, help="a folder of 3_corpus; without it the starter corpus")
    parser.add_argument("--row-tokens", type=int, default=0, help="0 takes the shape's own")
    parser.add_argument("--examples", choices=("dialogues", "pairs"), default="dialogues")
    parser.add_argument("--steps", type=int, default=20, help="at most; the corpus may fill fewer")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--cores", default="0")
    parser.add_argument("--only", nargs="*", default=[], choices=[*CONTENDERS, PEER], help="beside ours")
    parser.add_argument("--held-out", type=int, default=32, help="most rows that are scored")
    parser.add_argument("--peer-python", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
