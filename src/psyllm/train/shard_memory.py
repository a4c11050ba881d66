"""What one of several processes holds of a model that lies in shards over them (`train.processes=fsdp`).

In: what it would need with the whole model to itself. Out: what it needs as `sharded` lays the model out. A block
is gathered while it works, and the next one beside it; embeddings, head and last norm stay gathered, in fp32, from
their first use to the end of a step. Pure arithmetic, and the sum of all parts: nothing of it was measured on cards.
"""

from __future__ import annotations

from psyllm.lm.memory import BYTES, HELD_SHARE, HELD_SHARE_CHECKPOINTING, WIDE, Need, Way
from psyllm.lm.model_shape import Shape


def in_shards(whole: Need, shape: Shape, way: Way, count: int) -> Need:
    """Return what each of `count` processes needs; activations and logits are those of its own rows, as in `whole`."""
    weights = shape.weights()
    shard = -(-WIDE * weights.total // count)
    of_root = WIDE * (weights.embeddings + weights.head)
    of_block = (weights.matrices + weights.vectors) // shape.layers
    held = shard + of_root + 2 * BYTES[way.precision] * of_block
    if way.precision != "fp32":  # autocast's copy of the head
        held += BYTES[way.precision] * shape.vocabulary * shape.width
    if way.device == "cpu":  # what the run has read, and takes the best weights into at its end
        held += WIDE * weights.total
    # without an exchange after every part of a step nothing of the gradients is shared out until the last one
    whole_gradients = WIDE * weights.total if way.accumulates else of_root + WIDE * of_block
    gradients = shard + whole_gradients
    optimizer = -(-whole.optimizer // count)
    passing = float(whole.activations + whole.logits)
    if way.device == "cpu":
        passing *= HELD_SHARE_CHECKPOINTING[way.attention] if way.checkpointing else HELD_SHARE
    lasting = held + gradients + optimizer
    return whole._replace(
        weights=held,
        gradients=gradients,
        optimizer=optimizer,
        alive=lasting + whole.activations + whole.logits,
        peak=lasting + int(passing) + whole.context,
    )
