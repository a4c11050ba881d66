"""Records in the forms that other programs train on.

A record comes in, rows of one form go out, or none when the form can't hold it.
PsyQA holds questions (the last span ends at the text's length, as in half of
PsyQA itself); alpaca, sharegpt and messages hold what is asked and answered: a
question once for each answer, a dialogue once. These begin with the visitor and
end with the counsellor, because trainers refuse other orders: an opening word of
the counsellor and a last word without an answer are left off. Where rows are
written is decided in `export.py`.
Source of the forms: the PsyQA paper's published examples; LLaMA-Factory 0.9.5,
which refuses conversations of an odd number of turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from psyllm.core.records import Answer, Record, Role

Row = dict[str, Any]
Said = list[tuple[Role, str]]


class Form(NamedTuple):
    """A form's name, the end of its files, and the rows of a record; `as_array` or one JSON object a line."""

    name: str
    ending: str
    rows: Callable[[Record], Iterator[Row]]
    as_array: bool


def psyqa_rows(record: Record) -> Iterator[Row]:
    """Yield a question with all of its answers."""
    if record.kind != "question" or not record.answers:
        return
    yield {
        "question": record.title or record.text,
        "description": record.text if record.title else "",
        "keywords": ",".join(record.keywords or ((record.topic,) if record.topic else ())),
        "answers": [_psyqa_answer(answer) for answer in record.answers],
        "questionID": record.id,
    }


def alpaca_rows(record: Record) -> Iterator[Row]:
    """Yield the last exchange of each conversation, with the earlier ones as `history`."""
    for said in conversations(record):
        texts = [text for _, text in said]
        yield {
            "instruction": texts[-2],
            "input": "",
            "output": texts[-1],
            "history": [list(pair) for pair in zip(texts[:-2:2], texts[1:-2:2], strict=True)],
        }


def sharegpt_rows(record: Record) -> Iterator[Row]:
    """Yield each conversation with `from` and `value`."""
    names: dict[Role, str] = {"visitor": "human", "counsellor": "gpt"}
    for said in conversations(record):
        yield {
            "id": record.id,
            "conversations": [{"from": names[role], "value": text} for role, text in said],
        }


def messages_rows(record: Record) -> Iterator[Row]:
    """Yield each conversation with `role` and `content`, as chat templates (ChatML among them) read them."""
    names: dict[Role, str] = {"visitor": "user", "counsellor": "assistant"}
    for said in conversations(record):
        yield {"id": record.id, "messages": [{"role": names[role], "content": text} for role, text in said]}


def text_rows(record: Record) -> Iterator[Row]:
    """Yield a document's text, for the first stage of training."""
    if record.kind == "document":
        yield {"text": record.opening()}


def conversations(record: Record) -> Iterator[Said]:
    """Yield what is asked and answered: visitor first, counsellor last, in turns."""
    if record.kind == "question":
        asked: tuple[Role, str] = ("visitor", record.opening())
        yield from ([asked, ("counsellor", answer.text)] for answer in record.answers)
    elif record.kind == "dialogue":
        said: Said = []
        for turn in record.turns:
            if said and said[-1][0] == turn.role:
                said[-1] = (turn.role, f"{said[-1][1]}\n{turn.text}")
            elif said or turn.role == "visitor":
                said.append((turn.role, turn.text))
        if said and said[-1][0] == "visitor":
            said.pop()
        if said:
            yield said


def _psyqa_answer(answer: Answer) -> Row:
    spans = [span.model_dump() for span in answer.spans]
    is_whole = bool(spans) and spans[0]["start"] == 0 and spans[-1]["end"] == len(answer.text)
    return {
        "answer_text": answer.text,
        "has_label": is_whole,  # PsyQA's spans cover a text or are absent
        "labels_sequence": spans if is_whole else None,
    }


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("psyqa", "json", psyqa_rows, as_array=True),
        Form("alpaca", "json", alpaca_rows, as_array=True),
        Form("sharegpt", "json", sharegpt_rows, as_array=True),
        Form("messages", "jsonl", messages_rows, as_array=False),
    )
}
