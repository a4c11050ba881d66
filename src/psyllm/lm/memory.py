"""How much memory a training takes, told before it starts.

In: a model's shape, the way it is trained, rows and their length. Out: bytes
by part, each part at its own largest, and the peak of them together. Weights,
gradients and moments are counted; activations are what autograd keeps of each
block, tensor by tensor (tests/lm/test_memory.py holds this against autograd's
own hooks); what the loss and the block in work need for a moment is added.
Pure arithmetic: nothing here imports torch, asks a machine or measures
(`bench/memory.py` does).

The parts are not all there at once: gradients grow while activations go. On a
CPU the peak of both is planned, as measured; on a card, where nothing was
measured yet, the sum of all parts, which is never less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from psyllm.lm.chunk_size import is_large, rows_of_chunk
from psyllm.lm.model_shape import Shape

Method: TypeAlias = Literal["full", "lora", "dora", "qlora"]
Optimizer: TypeAlias = Literal["adamw", "adamw8", "muon"]
Number: TypeAlias = Literal["fp32", "bf16", "fp16"]
Device: TypeAlias = Literal["cpu", "cuda"]

GIB = 2**30
ID_BYTES = 8  # of a token's number
SLOTS = 8  # answers that the service's engine computes at once
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
WIDE = 4  # fp32: gradients, moments, the residual stream, softmax
# A weight of a 4-bit base with its share of the scales, between 4.13 bits (scales quantised again) and 4.5.
BYTES_OF_NF4 = 4.25 / 8
# Two moments in fp32, two in 8 bits, one momentum in fp32 (muon's embeddings have AdamW's two).
BYTES_OF_MOMENTS = {"adamw": 8, "adamw8": 2, "muon": 4}
ADAPTED_PROJECTIONS = 4  # of the attention, where nothing else is said: query, key, value, output
CONTEXT_BYTES = {"cuda": int(0.8 * GIB), "cpu": int(0.7 * GIB)}  # CUDA's own; on a CPU the program's
# What the heap of a CPU holds for a byte that comes and goes, whatever malloc is told: what was freed does
# not fit every later tensor, and blocks that are computed again leave more holes. Measured by
# bench/memory.py: 1.17 to 1.27 where the feed-forward is one product and GELU, 1.30 to 1.77 where it is
# gated; with checkpointing 3.5 and 3.7 (eager attention), 2.8 and 3.1 (fused).
HELD_SHARE, HELD_SHARE_GATED = 1.22, 1.44
HELD_SHARE_CHECKPOINTING = {"eager": 3.75, "sdpa": 3.0}
# Logits, the log of the softmax and the gradient, each in fp32, live together.
BYTES_OF_A_LOGIT = 12
BYTES_OF_A_LOGIT_AFTER = 4


@dataclass(frozen=True)
class Way:
    """How a model is trained; `precision` is autocast's, `weights` how the trained or frozen base is held.

    `learnt` is the share of the tokens that passes through the head; `accumulates` where a step
    has several parts, so that gradients are there from the start.
    """

    method: Method = "full"
    optimizer: Optimizer = "adamw"
    precision: Number = "fp32"
    weights: Number = "fp32"
    rank: int = 8
    checkpointing: bool = False
    attention: Literal["sdpa", "eager"] = "sdpa"
    loss: Literal["auto", "plain", "chunked"] = "auto"
    device: Device = "cpu"
    learnt: float = 1.0
    accumulates: bool = False


class Need(NamedTuple):
    """Bytes by part, each at its own largest; `alive`, all tensors at a step's highest; `peak`, what that takes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    context: int
    alive: int
    peak: int
    device: Device

    @property
    def together(self) -> int:
        """All parts at once: more than a step ever holds."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.context

    @property
    def planned(self) -> int:
        """What must be free, the context included."""
        return self.peak if self.device == "cpu" else self.together


class _Static(NamedTuple):
    weights: int
    gradients: int
    optimizer: int
    of_head: int  # the gradient of the head, made first and whole


def estimate(shape: Shape, way: Way, row_tokens: int, rows: int) -> Need:
    """Return what a step over `rows` rows of `row_tokens` tokens, computed at once, takes."""
    tokens = row_tokens * rows
    static = _static(shape, way)
    block = block_bytes(shape, way, row_tokens) * tokens
    fixed = ends_bytes(shape, way) * tokens
    # checkpointing keeps the residual stream, and everything of one block at a time, after the loss is done
    lasting_blocks = shape.layers * (WIDE * shape.width * tokens if way.checkpointing else block)
    kept = int(lasting_blocks + fixed)
    activations = kept + (int(block) if way.checkpointing else 0)
    logits, after = _logits(shape, way, tokens)
    passing = int(_passing(shape, way, row_tokens) * tokens)
    context = CONTEXT_BYTES[way.device]
    lasting = static.weights + static.optimizer + (static.gradients if way.accumulates else 0)
    twice = static.of_head if shape.tied else 0  # tied: the embeddings' gradient is made beside the head's
    moments = (
        kept + logits,
        kept + after + static.of_head,
        activations + passing + static.of_head,
        twice if way.accumulates else static.gradients + twice,
    )
    alive = lasting + max(moments)
    return Need(
        static.weights,
        static.gradients,
        static.optimizer,
        activations,
        logits,
        context,
        alive,
        _held(shape, way, lasting, max(moments)) + context,
        way.device,
    )


def _held(shape: Shape, way: Way, lasting: int, passing: int) -> int:
    """Return what a process holds where so many bytes last and so many come and go."""
    if way.device == "cuda":
        return lasting + passing
    share = HELD_SHARE_GATED if shape.is_gated else HELD_SHARE
    if way.checkpointing:
        share = HELD_SHARE_CHECKPOINTING[way.attention]
    # at a stage's end the best weights are read from the disk, whose pages count as the program's
    return lasting + int(passing * share) + WIDE * shape.weights().total


def block_bytes(shape: Shape, way: Way, row_tokens: int) -> float:
    """Return the bytes that autograd keeps of one block for each token."""
    low = BYTES[way.precision]
    mask = _mask_bytes(way) if shape.dropout else 0
    width, wide = shape.width, WIDE
    kept_of_norm = 2 * wide * width + wide if shape.is_gated else wide * width + 2 * wide
    # under autocast each layer keeps its own copy of its input; in fp32 all of them share one
    apart = way.precision != "fp32"
    into_heads = (1 if shape.family == "gpt2" else 3) if apart else 1
    into_feeding = (2 if shape.is_gated else 1) if apart else 1
    total = 2.0 * kept_of_norm + low * width * (into_heads + into_feeding)
    total += 2 * mask * width  # after the attention and after the feed-forward
    total += low * shape.feed_forward * shape.kept_by_feed_forward()
    if shape.family == "qwen3":  # a norm on every head of query and key
        normed = shape.queried + shape.keyed
        total += (wide + low) * normed + wide * (shape.heads + shape.key_heads)
    return total + _attention_bytes(shape, way, row_tokens, mask)


def ends_bytes(shape: Shape, way: Way) -> float:
    """Return the bytes kept for each token outside the blocks: embeddings, last norm, the head's input."""
    into_head = (WIDE + (BYTES[way.precision] if way.precision != "fp32" else 0)) * shape.width * way.learnt
    if shape.is_gated:
        return ID_BYTES + 2 * WIDE * shape.width + WIDE + 2 * WIDE * shape.head_size + into_head
    # PanGu's top layer asks with embeddings of its own; under autocast only their copy is kept, as a layer's input
    asking = WIDE * shape.width if shape.family == "pangu" and way.precision == "fp32" else 0
    # the ids twice: one more for the positions
    return 2 * ID_BYTES + WIDE * shape.width * (2 if shape.dropout else 1) + 2 * WIDE + asking + into_head


def adapter_weights(shape: Shape, rank: int) -> int:
    """Return how many weights LoRA adds to the four projections of every attention."""
    ends = 2 * (shape.width + shape.queried) + 2 * (shape.width + shape.keyed)
    return shape.layers * rank * ends


def _attention_bytes(shape: Shape, way: Way, row_tokens: int, mask: float) -> float:
    low = BYTES[way.precision]
    heads, out = 3.0 * low * shape.queried, low * shape.queried
    seen = shape.heads * row_tokens
    if way.attention == "sdpa" and not (mask and way.device == "cpu"):
        # the fused kernel keeps one number a head, and the mask of packed rows
        return heads + out + WIDE * shape.heads + low * row_tokens
    if way.attention == "sdpa":
        # with dropout a CPU has no fused kernel: all in fp32, and the probabilities three times
        return 3 * WIDE * shape.queried + out + 3 * WIDE * seen
    if mask:  # softmax, dropout's mask, their product
        return heads + out + (WIDE + mask + low) * seen
    return heads + out + (WIDE + (low if way.precision != "fp32" else 0)) * seen


def _passing(shape: Shape, way: Way, row_tokens: int) -> float:
    """Return the bytes for each token that the block in work needs for a moment in the backward pass."""
    low = BYTES[way.precision]
    feeding = 2.0 * low * shape.feed_forward
    attention = 2.0 * WIDE * shape.heads * row_tokens if way.attention == "eager" else 0.0
    # the attention's turn comes when the feed-forward's tensors are gone
    attention -= low * shape.feed_forward * shape.kept_by_feed_forward()
    return max(feeding, attention) + 2 * WIDE * shape.width


def _mask_bytes(way: Way) -> float:
    """Return the bytes of one number of dropout's mask: a CPU keeps it in the type of what it masks."""
    return 1 if way.device == "cuda" else BYTES[way.precision]


def _static(shape: Shape, way: Way) -> _Static:
    weights = shape.weights()
    held = BYTES[way.weights]
    if way.method == "full":
        cast = 0
        if way.precision != "fp32" and way.weights == "fp32":  # autocast's copies of what is multiplied
            cast = BYTES[way.precision] * (weights.matrices + weights.vectors)
        moments = BYTES_OF_MOMENTS[way.optimizer] * weights.total
        if way.optimizer == "muon":
            moments = BYTES_OF_MOMENTS["muon"] * weights.matrices
            moments += BYTES_OF_MOMENTS["adamw"] * (weights.total - weights.matrices)
        of_head = held * shape.vocabulary * shape.width
        return _Static(held * weights.total + cast, held * weights.total, moments, of_head)
    added = adapter_weights(shape, way.rank)
    if way.method == "dora":  # and the size of every row
        added += shape.layers * (2 * shape.queried + 2 * shape.keyed)
    base: float = held * weights.total
    if way.method == "qlora":
        rest = weights.total - weights.matrices
        base = BYTES_OF_NF4 * weights.matrices + 2 * rest
    copies = 0
    if way.method != "qlora" and way.precision != way.weights:
        copies = BYTES[way.precision] * weights.matrices
    return _Static(
        int(base) + copies + WIDE * added, WIDE * added, BYTES_OF_MOMENTS[way.optimizer] * added, 0
    )


def _logits(shape: Shape, way: Way, tokens: int) -> tuple[int, int]:
    """Return the most that the loss holds, and what of it is left when the head's gradient is made."""
    learnt = int(tokens * way.learnt)
    plain = BYTES_OF_A_LOGIT * learnt * shape.vocabulary
    if way.loss == "plain" or (way.loss == "auto" and not is_large(learnt, shape.vocabulary)):
        return plain, BYTES_OF_A_LOGIT_AFTER * learnt * shape.vocabulary
    rows = rows_of_chunk(learnt, shape.vocabulary, way.device)
    chunk = rows * shape.vocabulary * BYTES[way.precision]
    if way.device == "cuda" and way.precision != "fp32":
        chunk += rows * shape.vocabulary * WIDE  # the softmax of a chunk; a CPU takes a few rows at a time
    return chunk, chunk
