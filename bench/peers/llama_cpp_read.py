"""The peer of `bench/gguf_read.py`: llama.cpp reading a GGUF file, run by its own Python.

    llama_cpp_read.py MODEL.gguf ROWS.json

Prints one JSON object: how many prompts came to the same ids, in how many the likeliest next token is ours, how
far the log-probabilities of our likeliest are off (median and most over the dialogues), how many greedy answers
are ours to the last token.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import GGML_TYPE_F32, Llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter


def prompt_ids(model: Llama, form: Jinja2ChatFormatter, messages: list[dict[str, str]]) -> list[int]:
    """Return what llama.cpp makes of a dialogue: the file's own form, then its own tokenizer."""
    text = form(messages=messages).prompt
    # Asked for, a first mark still comes only where the file says that the model has one.
    return list(model.tokenize(text.encode(), add_bos=True, special=True))


def compare(model: Llama, row: dict[str, Any]) -> tuple[float, bool, bool]:
    """Return how far scores are off, whether the next token is ours, and whether the whole answer is."""
    model.reset()
    model.eval(row["ids"])
    scores = np.array(model.scores[model.n_tokens - 1], dtype=np.float64)
    scores -= scores.max() + np.log(np.exp(scores - scores.max()).sum())
    off = float(np.abs(scores[row["likeliest"]] - row["scores"]).max())
    said = []
    while len(said) < len(row["said"]):
        said.append(int(np.argmax(model.scores[model.n_tokens - 1])))
        model.eval(said[-1:])
    return off, said[0] == row["said"][0], said == row["said"]


def main(file: Path, rows_file: Path) -> None:
    """Read the file and print what was found."""
    rows = json.loads(rows_file.read_text("utf-8"))
    model = Llama(
        str(file),
        n_ctx=0,
        logits_all=True,
        verbose=False,
        n_threads=1,
        type_k=GGML_TYPE_F32,
        type_v=GGML_TYPE_F32,
    )
    marks = [
        model.detokenize([mark], special=True).decode() for mark in (model.token_eos(), model.token_bos())
    ]
    template = model.metadata["tokenizer.chat_template"]
    form = Jinja2ChatFormatter(template, eos_token=marks[0], bos_token=marks[1])
    alike = sum(prompt_ids(model, form, row["messages"]) == row["ids"] for row in rows)
    found = [compare(model, row) for row in rows if "said" in row]
    off = [one[0] for one in found]
    print(
        json.dumps(
            {
                "alike": alike,
                "judged": len(found),
                "first": sum(one[1] for one in found),
                "answers": sum(one[2] for one in found),
                "median": statistics.median(off),
                "most": float(np.max(off)),  # unlike Python's, it lets no NaN go unseen
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
