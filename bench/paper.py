"""The paper's comparison, repeated in small: a PanGu-like and a Wenzhong-like model, per character, over seeds.

    python bench/paper.py [--data DIR] [--minutes 10] [--seeds 3] [--threads 2]

Without `--data` the starter corpus is the text (every tenth record held out);
with it, the corpus in use there, e.g. one made from SmileChat.

What is equal: the text of training, held-out records, layers, width and so the
parameters besides embeddings (a PanGu's top query layer has the sizes of a
block), rows, batch, rates, dropout, and the floating-point operations of
training, the head's counted. What is each one's own, as in the paper: the
architecture and the tokenizer. PanGu's: sentencepiece unigram on jieba's words,
learnt from the training text. Wenzhong's: GPT-2's byte-level BPE, learnt from
*other* text, English from the interpreter's own library, with so much of the
training text mixed in that a Chinese character costs about as many tokens as
GPT-2's real vocabulary needs (2.16 measured, models.md section 1.5). The vocabularies
stand to each other as 40,000 to 50,257. Equal operations mean unequal passes:
PanGu's shorter spelling reads the text more often, and the table says how often.

The budget in operations comes from a short timing of both shapes, so that all
runs together take about `--minutes`. Prints one table: means and the spread over
seeds, and the difference per seed. Token perplexity stands there to show that
it misleads, and a character that a tokenizer can't spell (PanGu's has no bytes to
fall back on) costs it less than it should. What it does not repeat: sizes, pre-training, the paper's data.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from scipy import stats
from transformers import PreTrainedModel

from paper_kinds import (
    GPT2_TOKENS_PER_CHAR,
    OTHER_TEXT_CHARS,
    Sizes,
    like_gpt2,
    pangu_vocabulary,
    write_pangu,
    write_wenzhong,
)
from psyllm.core.records import read_records
from psyllm.core.stages import Stage, need_current
from psyllm.core.starter import starter_records
from psyllm.core.train_settings import TrainingStage
from psyllm.evaluate.intervals import ratio_interval
from psyllm.evaluate.perplexity import Surprise, surprises
from psyllm.evaluate.questions import Asked, draw, questions_of
from psyllm.evaluate.side_by_side import lost_chars
from psyllm.lm.checkpoint import load_base, save
from psyllm.lm.loss import summed_loss, to_batch
from psyllm.lm.pack import Rows
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer
from psyllm.train.loop import train_stage
from psyllm.train.machine import choose_attention, keep_freed_memory, on_threads
from psyllm.train.material import Material, adapt_rows, answer_rows, material_of
from psyllm.train.watch import Plan

SHAPES = ("PanGu-like", "Wenzhong-like")
SEED = 20261126
GPT2_TO_PANGU_PIECES = 50_257 / 40_000
ADAPT_SHARE = 0.6  # of a run's operations; the rest is the answer stage's
TIMED_STEPS = 3
TRAINING_SHARE = 0.7  # of the minutes; the rest is preparing, dev losses, checkpoints and scoring
LOG2 = math.log(2)


class Texts(NamedTuple):
    """Training and dev words, and the questions measured on."""

    train: Material
    dev: Material
    asked: list[Asked]

    @property
    def chars(self) -> int:
        """How much text there is to train on."""
        return sum(map(len, self.train.texts()))


class Rowed(NamedTuple):
    """A shape's rows of both stages, training and dev."""

    adapt: tuple[Rows, Rows]
    answer: tuple[Rows, Rows]


class Run(NamedTuple):
    """One model: what it does on the records, and what it took."""

    surprised: list[Surprise]
    passes: tuple[float, float]
    tokens: int
    operations: float
    wall_s: float

    def bits(self, per: str) -> float:
        """Return bits per `chars` or `bytes`, over all records."""
        below = sum(getattr(one, per) for one in self.surprised)
        return math.fsum(one.nll_nats for one in self.surprised) / LOG2 / float(below)

    def perplexity(self) -> float:
        """Return the perplexity per token, which can't be compared."""
        return math.exp(self.bits("tokens") * LOG2)


def read_texts(data: Path | None, most_scored: int) -> Texts:
    """Return the corpus in use of a data folder, else the starter corpus in three parts."""
    if data is not None:
        corpus, _ = need_current(data, Stage.CORPUS)
        parts = [list(read_records(corpus, prefix=split)) for split in ("train", "dev", "test")]
    else:
        everything = list(starter_records())
        parts = [
            [one for place, one in enumerate(everything) if place % 10 > 1],
            everything[::10],
            everything[1::10],
        ]
    asked = draw(list(questions_of(parts[2])), most_scored, SEED)
    return Texts(material_of(parts[0]), material_of(parts[1]), asked)


def inner_parameters(model: PreTrainedModel) -> int:
    """Return the number of weights besides embeddings of tokens, positions and queries."""
    outside = ("wte.", "wpe.", "wqe.", "lm_head.")
    return sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if not any(part in name for part in outside)
    )


def operations_a_row(model: PreTrainedModel, sizes: Sizes, learnt_share: float) -> float:
    """Return the floating-point operations of training on one row: forward and twice that backward.

    Two a weight and token; attention two products of half a square a layer (causal); the head for
    learnt positions only, as the loop computes it.
    """
    tokens, rows = sizes.row_tokens, int(model.config.vocab_size)
    attention = sizes.layers * 2 * 2 * sizes.width * tokens / 2
    forward = tokens * (2 * inner_parameters(model) + attention + learnt_share * 2 * sizes.width * rows)
    return 3 * forward


def learnt_share(rows: Rows) -> float:
    """Return which share of the positions goes through the head."""
    return rows.learnt_tokens / rows.ids.size


def rows_of(tokenizer: Tokenizer, texts: Texts, sizes: Sizes) -> Rowed:
    """Return both stages' rows."""
    length = sizes.row_tokens

    def adapt(material: Material) -> Rows:
        return adapt_rows(tokenizer, material, length, general_share=0.0, seed=SEED)

    def answer(material: Material) -> Rows:
        return answer_rows(tokenizer, material.dialogues, length, "rows")

    return Rowed((adapt(texts.train), adapt(texts.dev)), (answer(texts.train), answer(texts.dev)))


def speed(model: PreTrainedModel, rows: Rows, sizes: Sizes) -> float:
    """Return the operations a second of a few steps forward and backward."""
    batch = to_batch(rows.take([place % len(rows.ids) for place in range(sizes.batch_rows)]))
    torch.autograd.backward(summed_loss(model, batch))
    started = time.perf_counter()
    for _ in range(TIMED_STEPS):
        torch.autograd.backward(summed_loss(model, batch))
    spent = time.perf_counter() - started
    model.zero_grad(set_to_none=True)
    return (
        TIMED_STEPS * sizes.batch_rows * operations_a_row(model, sizes, learnt_share(rows)) / max(spent, 1e-9)
    )


def train(start: Path, rows: Rowed, texts: Texts, sizes: Sizes, budget: float, threads: int) -> Run:
    """Train one model in both stages for `budget` operations and score it."""
    model, tokenizer = load_base(start)
    choose_attention(model, sizes.row_tokens)
    began = time.perf_counter()
    rows_seen, spent = 0, 0.0
    passes = []
    for name, (learnt, dev), share in (
        ("adapt", rows.adapt, ADAPT_SHARE),
        ("answer", rows.answer, 1 - ADAPT_SHARE),
    ):
        of_step = sizes.batch_rows * operations_a_row(model, sizes, learnt_share(learnt))
        count = max(2, round(share * budget / of_step))
        stage = TrainingStage(
            steps=count,
            batch_rows=sizes.batch_rows,
            learning_rate=sizes.rate,
            warmup_steps=max(1, count // 20),
            evaluate_every_steps=max(1, count // 3),
            patience=0,
        )
        plan = Plan(name, stage, start.parent / f"{start.name}-{name}", SEED, 1, "fp32")
        train_stage(model, learnt, dev.sample(64, SEED), plan, lambda _logged: None)
        rows_seen, spent = rows_seen + count * sizes.batch_rows, spent + count * of_step
        passes.append(count * sizes.batch_rows / len(learnt.ids))
    target = start.parent / f"{start.name}-model"
    save(target, model, tokenizer, context_tokens=sizes.row_tokens)
    wall_s = time.perf_counter() - began
    return Run(
        surprises(target, texts.asked, threads),
        (passes[0], passes[1]),
        rows_seen * sizes.row_tokens,
        spent,
        wall_s,
    )


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


def print_table(runs: dict[str, list[Run]], facts: dict[str, dict[str, str]]) -> None:
    """Print one row a figure, one column a shape."""
    print(f"\n{'':44}" + "".join(f"{shape:>22}" for shape in SHAPES))
    lines: list[tuple[str, Callable[[str], str]]] = [
        (
            "passes over the text: adapt, answer",
            lambda shape: " and ".join(f"{one:.2f}" for one in runs[shape][0].passes),
        ),
        ("tokens seen a run", lambda shape: f"{runs[shape][0].tokens:,}"),
        ("operations a run, 1e12", lambda shape: f"{runs[shape][0].operations / 1e12:.3f}"),
        ("seconds a run, wall", lambda shape: spread([run.wall_s for run in runs[shape]])),
        ("bits per character", lambda shape: spread([run.bits("chars") for run in runs[shape]])),
        ("bits per byte", lambda shape: spread([run.bits("bytes") for run in runs[shape]])),
        (
            "perplexity per token (NOT comparable)",
            lambda shape: spread([run.perplexity() for run in runs[shape]]),
        ),
    ]
    for name in facts[SHAPES[0]]:
        print(f"{name:44}" + "".join(f"{facts[shape][name]:>22}" for shape in SHAPES))
    for name, value in lines:
        print(f"{name:44}" + "".join(f"{value(shape):>22}" for shape in SHAPES))


def print_difference(runs: dict[str, list[Run]]) -> None:
    """Print how the shapes differ, seed by seed, and over records with the seeds' mean."""
    first, second = (runs[shape] for shape in SHAPES)
    gaps = [one.bits("chars") - other.bits("chars") for one, other in zip(first, second, strict=True)]
    print(f"\n{SHAPES[0]} less {SHAPES[1]}, bits per character: " + ", ".join(f"{gap:+.3f}" for gap in gaps))
    if len(gaps) > 1:
        reach = float(stats.t.ppf(0.975, len(gaps) - 1)) * statistics.stdev(gaps) / math.sqrt(len(gaps))
        mean = statistics.mean(gaps)
        print(f"over {len(gaps)} seeds: {mean:+.3f} [{mean - reach:+.3f}, {mean + reach:+.3f}] (t, 95 %)")
    records = range(len(first[0].surprised))
    more = [
        statistics.mean(
            one.surprised[place].nll_nats - other.surprised[place].nll_nats
            for one, other in zip(first, second, strict=True)
        )
        for place in records
    ]
    chars = [one.chars for one in first[0].surprised]
    found = ratio_interval(more, chars, samples=1000, seed=SEED).scaled(1 / LOG2)
    if found.low is not None and found.high is not None:
        print(
            f"over {len(records)} records: {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}] (bootstrap, 95 %)"
        )


def facts_of(tokenizer: Tokenizer, model: PreTrainedModel, texts: Texts) -> dict[str, str]:
    """Return what a shape is."""
    held = [text for one in texts.asked for text in one.references]
    per_char = sum(map(len, tokenizer.encode_many(held))) / sum(map(len, held))
    lost, of = lost_chars(tokenizer, held)
    return {
        "pieces of the vocabulary": f"{tokenizer.size:,}",
        "tokens per character, held out": f"{per_char:.3f}",
        "characters it can't spell, %": f"{100 * lost / of:.2f}",
        "parameters besides embeddings": f"{inner_parameters(model):,}",
        "parameters": f"{sum(weight.numel() for weight in model.parameters()):,}",
    }


def measure(texts: Texts, sizes: Sizes, scratch: Path, asked: argparse.Namespace) -> None:
    """Make both shapes, share out the time, train, score, print."""
    words = texts.train.texts()
    held = [text for one in texts.asked for text in one.references]
    vocabulary = pangu_vocabulary(words, sizes.pieces)
    pieces, share, cost = like_gpt2(words, held, round(sizes.pieces * GPT2_TO_PANGU_PIECES))
    print(
        f"byte-level BPE: {OTHER_TEXT_CHARS:,} characters of English, {100 * share:g} % as much of the text: {cost:.2f} tokens a character (GPT-2's own: {GPT2_TOKENS_PER_CHAR})"
    )
    rows: dict[str, Rowed] = {}
    facts: dict[str, dict[str, str]] = {}
    speeds: list[float] = []
    for shape in SHAPES:
        for seed in range(asked.seeds):
            folder = scratch / f"{shape}-{seed}"
            if shape == SHAPES[0]:
                write_pangu(folder, vocabulary, sizes, SEED + seed)
            else:
                write_wenzhong(folder, pieces, sizes, SEED + seed)
        tokenizer = read_tokenizer(scratch / f"{shape}-0")
        rows[shape] = rows_of(tokenizer, texts, sizes)
        model, _ = load_base(scratch / f"{shape}-0")
        choose_attention(model, sizes.row_tokens)
        facts[shape] = facts_of(tokenizer, model, texts)
        speeds.append(speed(model, rows[shape].adapt[0], sizes))
    budget = min(speeds) * 60 * asked.minutes * TRAINING_SHARE / (len(SHAPES) * asked.seeds)
    print(
        f"timed: {', '.join(f'{one / 1e9:.1f}' for one in speeds)} GFLOP/s; {budget / 1e12:.3f}e12 operations a run"
    )
    runs = {
        shape: [
            train(scratch / f"{shape}-{seed}", rows[shape], texts, sizes, budget, asked.threads)
            for seed in range(asked.seeds)
        ]
        for shape in SHAPES
    }
    print_table(runs, facts)
    print_difference(runs)


def main() -> None:
    """Read, measure, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, help="a data folder with a corpus; else the starter corpus")
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--layers", type=int, default=4)
    words.add_argument("--width", type=int, default=192)
    words.add_argument("--pieces", type=int, default=6000, help="of PanGu's vocabulary")
    words.add_argument("--row-tokens", type=int, default=256)
    words.add_argument("--scored", type=int, default=200, help="most held-out records")
    asked = words.parse_args()
    heads = max(1, asked.width // 64)
    sizes = Sizes(asked.layers, asked.width, heads, asked.pieces, asked.row_tokens, 8, 1.5e-3)
    texts = read_texts(asked.data, asked.scored)
    print(
        f"{sizes}; {texts.chars:,} characters of training text, {len(texts.asked)} held-out records, {asked.seeds} seeds"
    )
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch, on_threads(asked.threads):
        measure(texts, sizes, Path(scratch), asked)


if __name__ == "__main__":
    main()
