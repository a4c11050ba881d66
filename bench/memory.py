"""Measure what trainings take on a CPU beside what the planner says: `python bench/memory.py`.

Each configuration runs three real steps of the loop (`train.loop`) in a process
of its own, on one thread, in fp32, on rows of random tokens. Its peak is the
kernel's high-water mark over what the process held before the model was made,
after a tiny training has loaded everything; the plan's context is left out for
the same reason. Prints measured, planned and their ratio; ends with the worst.
The planner's shares of the heap were fitted on all but those called `apart-…`, which are there to judge it.
`python bench/memory.py NAME` runs the named ones only. With a card at hand
`--cuda` measures there by `torch.cuda.max_memory_allocated` instead.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forked import from_here, in_fork

MIB = 2**20
SEED = 5
STEPS = 3
# name: family, sizes (layers, width, heads, key heads, feed-forward, vocabulary), rows, row tokens, and what differs
Configuration = tuple[str, tuple[int, int, int, int, int, int], int, int, dict[str, Any]]
CONFIGURATIONS: dict[str, Configuration] = {
    "llama-eager": ("llama", (6, 256, 4, 4, 672, 8192), 8, 256, {"attention": "eager"}),
    "llama-long": ("llama", (4, 256, 4, 4, 672, 8192), 2, 1024, {"attention": "sdpa"}),
    "llama-ckpt": (
        "llama",
        (8, 384, 6, 6, 1024, 4096),
        8,
        256,
        {"attention": "eager", "checkpointing": True},
    ),
    "llama-plain": ("llama", (3, 192, 3, 3, 512, 16384), 8, 192, {"attention": "eager", "loss": "plain"}),
    "llama-weights": ("llama", (12, 512, 8, 8, 1376, 4096), 1, 64, {"attention": "eager"}),
    "llama-parts": ("llama", (6, 256, 4, 4, 672, 8192), 8, 256, {"attention": "eager", "at_once": 2}),
    "gpt2-eager": ("gpt2", (6, 256, 4, 4, 1024, 8192), 4, 384, {"attention": "eager", "dropout": 0.1}),
    "gpt2-sdpa": ("gpt2", (4, 256, 8, 8, 1024, 8192), 8, 256, {"attention": "sdpa"}),
    "gpt2-fast": (
        "gpt2",
        (4, 256, 4, 4, 1024, 8192),
        4,
        512,
        {"attention": "sdpa", "activation": "gelu_fast"},
    ),
    "gpt2-ckpt": (
        "gpt2",
        (6, 256, 8, 8, 1024, 8192),
        4,
        512,
        {"attention": "eager", "dropout": 0.1, "checkpointing": True},
    ),
    "qwen3-large-vocabulary": ("qwen3", (2, 256, 4, 2, 768, 60000), 4, 256, {"attention": "sdpa"}),
    "qwen3-plain": ("qwen3", (2, 256, 4, 2, 768, 60000), 2, 256, {"attention": "sdpa", "loss": "plain"}),
    "qwen3-ckpt": (
        "qwen3",
        (8, 256, 4, 2, 768, 8192),
        4,
        512,
        {"attention": "sdpa", "checkpointing": True},
    ),
    "qwen3-untied": ("qwen3", (6, 256, 4, 2, 768, 8192), 8, 256, {"attention": "eager", "tied": False}),
    "pangu-eager": ("pangu", (5, 256, 4, 4, 1024, 8192), 4, 256, {"attention": "eager", "dropout": 0.1}),
    "pangu-ckpt": (
        "pangu",
        (8, 256, 4, 4, 1024, 8192),
        8,
        256,
        {"attention": "sdpa", "dropout": 0.1, "checkpointing": True},
    ),
    "apart-gpt2": ("gpt2", (7, 320, 5, 5, 1280, 6000), 6, 320, {"attention": "sdpa", "dropout": 0.1}),
    "apart-llama": ("llama", (5, 320, 5, 5, 864, 12000), 6, 288, {"attention": "sdpa"}),
    "apart-qwen3": ("qwen3", (4, 320, 5, 5, 960, 30000), 6, 200, {"attention": "sdpa", "at_once": 3}),
    "apart-pangu": ("pangu", (6, 320, 5, 5, 1280, 10000), 5, 300, {"attention": "sdpa"}),
}


def config_of(configuration: Configuration) -> dict[str, Any]:
    """Return the config.json of a configuration's model."""
    family, (layers, width, heads, key_heads, feed_forward, vocabulary), _, row_tokens, more = configuration
    dropout = more.get("dropout", 0.0)
    common = {"vocab_size": vocabulary, "tie_word_embeddings": more.get("tied", True)}
    drops = {"resid_pdrop": dropout, "attn_pdrop": dropout, "embd_pdrop": dropout}
    if family == "gpt2":
        sizes = {"n_layer": layers, "n_embd": width, "n_head": heads, "n_inner": feed_forward}
        activation = {"activation_function": more.get("activation", "gelu_new")}
        return {"model_type": family, "n_positions": row_tokens, **sizes, **common, **drops, **activation}
    sizes = {"hidden_size": width, "intermediate_size": feed_forward, "max_position_embeddings": row_tokens}
    if family == "pangu":
        more_sizes = {"num_layers": layers, "num_heads": heads, "activation_function": "gelu"}
        return {"model_type": "gpt_pangu", **sizes, **common, **drops, **more_sizes}
    blocks = {"num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": key_heads}
    return {"model_type": family, "head_dim": width // heads, **sizes, **common, **blocks}


def planned(configuration: Configuration, device: str = "cpu") -> int:
    """Return the plan without the context."""
    from psyllm.lm.memory import Way, estimate
    from psyllm.lm.model_shape import shape_of

    _, _, rows, row_tokens, more = configuration
    named = {name: more[name] for name in ("attention", "loss", "checkpointing") if name in more}
    at_once = more.get("at_once", rows)
    way = Way(
        **named,
        device="cuda" if device == "cuda" else "cpu",
        accumulates=at_once < rows,
        learnt=(row_tokens - 1) / row_tokens,
    )
    need = estimate(shape_of(config_of(configuration)), way, row_tokens, at_once)
    return need.peak - need.context


def train(configuration: Configuration, steps: int) -> None:
    """Train so many steps as the loop does."""
    import importlib

    import numpy as np
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from psyllm.core.train_settings import TrainingStage
    from psyllm.lm.activation import fuse_activations
    from psyllm.lm.checkpoint import quiet_transformers
    from psyllm.lm.pack import Rows
    from psyllm.train.loop import train_stage
    from psyllm.train.machine import keep_freed_memory
    from psyllm.train.watch import Plan

    torch.set_num_threads(1)
    family, _, rows, row_tokens, more = configuration
    config = config_of(configuration)
    if family == "pangu":
        importlib.import_module("psyllm.lm.pangu")
    make: Callable[[Any], Any] = AutoModelForCausalLM.from_config
    with quiet_transformers():
        model = make(AutoConfig.for_model(**config))
    model.set_attn_implementation(more["attention"])
    fuse_activations(model)
    if more.get("checkpointing"):
        model.activation_checkpointing_enable()
    keep_freed_memory()
    random = np.random.default_rng(SEED)
    ids = random.integers(2, config["vocab_size"], (2 * rows, row_tokens)).astype(np.int32)
    labels = ids.copy()
    labels[:, 0] = -100
    positions = np.tile(np.arange(row_tokens, dtype=np.int32) % (row_tokens // 2), (2 * rows, 1))
    made = Rows(ids, labels, positions)
    stage = TrainingStage(
        steps=steps,
        batch_rows=rows,
        rows_at_once=more.get("at_once", 0),
        warmup_steps=0,
        evaluate_every_steps=steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan("answer", stage, Path(folder), SEED, 1, "fp32", loss=more.get("loss", "auto"))
        train_stage(model, made, made.take([]), plan, lambda _logged: None)


def measured(configuration: Configuration, device: str) -> int:
    """Return the peak in bytes, of a child process on a CPU."""
    import torch

    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        train(configuration, STEPS)
        return int(torch.cuda.max_memory_allocated()) - before
    return in_fork(lambda: _grown(configuration))


def _grown(configuration: Configuration) -> int:
    train(_tiny(configuration[0]), 1)
    grown_bytes = from_here()
    train(configuration, STEPS)
    return grown_bytes()


def _tiny(family: str) -> Configuration:
    return family, (1, 32, 4, 2 if family == "qwen3" else 4, 64, 64), 2, 16, {"attention": "sdpa"}


def main() -> None:
    """Measure all, or the named ones, and print."""
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    device = "cuda" if "--cuda" in sys.argv else "cpu"
    print(f"{'':26}{'measured MiB':>14}{'planned MiB':>14}{'ratio':>8}")
    chosen = {name: one for name, one in CONFIGURATIONS.items() if not names or name in names}
    for family in {one[0] for one in chosen.values()}:
        train(_tiny(family), 1)
    ratios = {}
    for name, configuration in chosen.items():
        found, plan = measured(configuration, device), planned(configuration, device)
        ratios[name] = plan / found
        print(f"{name:26}{found / MIB:14,.0f}{plan / MIB:14,.0f}{ratios[name]:8.2f}", flush=True)
    worst = max(ratios, key=lambda name: abs(ratios[name] - 1))
    print(f"the worst of {len(ratios)}: {worst}, {ratios[worst]:.2f}")


if __name__ == "__main__":
    main()
