"""The embedded model in llama.cpp itself: the same ids, the same next tokens, the same answers?

    python bench/gguf_read.py --peer-python PATH [--dialogues N] [--tokens N]

The model in the package is written as GGUF in each type and read by llama.cpp, through llama-cpp-python in an
environment of its own (bench/peers/llama_cpp.txt). Each dialogue of the starter corpus that fits reaches it as a user's
would there: by the dialogue form that the file carries, which llama-cpp-python renders with Jinja2 (llama.cpp's
server has a renderer of its own, which is not asked here), then by llama.cpp's tokenizer under the file's own flags.
What is compared: the prompt's ids with those of `template.encode_prompt`; in dialogues drawn evenly from the short and
the long, log-probabilities of our 50 likeliest next tokens, and the answer drawn greedily up to its end. The cache
is fp32, so what is off is the file's type and another program's arithmetic.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from psyllm.core import embedded
from psyllm.core.starter import starter_records
from psyllm.lm.checkpoint import Checkpoint, load
from psyllm.lm.export import DTYPES, GGUF, export
from psyllm.lm.gguf_file import GGUF_FILE
from psyllm.lm.template import END, Message, encode_prompt, record_messages

PEER = Path(__file__).parent / "peers" / "llama_cpp_read.py"
ROLES = {"visitor": "user", "counsellor": "assistant"}
LIKELIEST = 50
HOW = (
    "llama.cpp is not measured: make it an environment of its own, then name its Python with --peer-python:\n"
    "  python3 -m venv .venv-llama && .venv-llama/bin/pip install -r bench/peers/llama_cpp.txt\n"
    "  python bench/gguf_read.py --peer-python .venv-llama/bin/python"
)


def dialogues(model: Checkpoint, most_tokens: int) -> list[tuple[list[Message], list[int]]]:
    """Return the starter corpus's dialogues that fit, shortest first, with the ids of their prompts."""
    found = [
        (messages, encode_prompt(model.tokenizer, messages, sys.maxsize))
        for record in starter_records()
        for messages in record_messages(record)
    ]
    fit = [(messages, ids) for messages, ids in found if len(ids) <= most_tokens]
    print(
        f"{len(found) - len(fit)} of {len(found)} prompts are longer than {most_tokens} tokens and left out"
    )
    return sorted(fit, key=lambda one: len(one[1]))


@torch.no_grad()
def continued(model: Checkpoint, ids: list[int], tokens: int) -> dict[str, Any]:
    """Return the likeliest next tokens with their log-probabilities, and a greedy answer up to its end."""
    said: list[int] = []
    first: torch.Tensor | None = None
    end = model.tokenizer.mark(END)
    while len(said) < tokens and end not in said:
        scores = model.model(torch.tensor([[*ids, *said]])).logits[0, -1].float().log_softmax(-1)
        first = scores if first is None else first
        said.append(int(scores.argmax()))
    assert first is not None
    likeliest = first.topk(LIKELIEST)
    return {"likeliest": likeliest.indices.tolist(), "scores": likeliest.values.tolist(), "said": said}


def main() -> None:
    parser = argparse.ArgumentParser(description="The embedded model in llama.cpp itself.")
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--dialogues", type=int, default=60, help="of how many the next tokens are compared")
    parser.add_argument("--tokens", type=int, default=40, help="of each greedy answer")
    given = parser.parse_args()
    if given.peer_python is None:
        print(HOW)
        return
    torch.set_num_threads(1)
    source = embedded.need()
    model = load(source)
    model.model.eval()
    asked = dialogues(model, model.context_tokens - given.tokens)
    rows: list[dict[str, Any]] = [
        {"messages": [{"role": ROLES[one.role], "content": one.text} for one in messages], "ids": ids}
        for messages, ids in asked
    ]
    for row in rows[:: max(len(rows) // given.dialogues, 1)][: given.dialogues]:
        row.update(continued(model, row["ids"], given.tokens))
    print(f"{len(rows)} prompts of {sum(len(row['ids']) for row in rows):,} tokens")
    print(
        f"{'type':<8}{'MB':>7}{'prompts alike':>15}{'first token':>13}{'off, median':>13}{'most':>9}{'answers':>10}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
        for dtype in DTYPES[GGUF]:
            export(source, place / dtype, GGUF, dtype)
            file = place / dtype / GGUF_FILE
            command = [str(given.peer_python), str(PEER), str(file), str(place / "rows.json")]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            judged = found["judged"]
            print(
                f"{dtype:<8}{file.stat().st_size / 1e6:>7.1f}{found['alike']:>8} of {len(rows)}"
                f"{found['first']:>7} of {judged}{found['median']:>13.1e}{found['most']:>9.1e}{found['answers']:>4} of {judged}",
                flush=True,
            )


if __name__ == "__main__":
    main()
