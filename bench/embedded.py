"""Whether the embedded model may speak: the four things asked of it, measured in one run.

    python bench/embedded.py --data DIR [--model FOLDER] [--dialogues 600] [--questions 200] [--split dev] [--sheet FILE.json]
    python bench/embedded.py --marks FILE.json [OTHER.json ...] --readers WHO [--into FOLDER]
    python bench/embedded.py --card [--into FOLDER]

1. Bits per character of whole held-out dialogues, marks of who speaks counted on
   both sides, beside character n-grams with Witten-Bell interpolation learnt
   from the same training text (asked: at most 78 % of the 5-gram's).
2. Of held-out questions, which are what visitors open a dialogue with (its last words are mostly thanks, and an
   answer to thanks fits any other): answers that the guard passes, that end by themselves and have two sentences or
   more (asked: 80 %). With `--split dev` temperature and top_p are chosen, before anything is judged.
3. Distinct-2 over characters beside that of people's answers, shrunk to the same
   number of bigrams (asked: within 20 %).
4. `--sheet` writes 100 different questions, 50 with the model's answer to each and 50 with one of its answers to
   another of those 50, unselected, mixed and without saying which is which. Each reader fills `on_topic` in, in a copy
   of its own; the key and the figures lie beside the sheet. `--marks` reads the filled sheets, the first with key and
   figures beside it, and prints each reader's share on topic among own and shuffled answers (asked of the strictest: 70 %,
   and 30 points more than of the shuffled ones). `--readers` says in words who read, for the card.

On topic is an answer that takes up what the question is about (its matter, its people or its feeling), however shallow or
clumsy; also a general reply that fits it. Not on topic is what speaks of another matter, or makes no sense.

Openings that the screening would not leave to a model (risk or above) are not asked, as in the service.
With `--marks` fewer than 300 dialogues, 200 questions and 50 answers of each kind, or
other settings than the service answers with, are refused.
Nothing is drawn twice or chosen. The test split is read for measuring only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from embedded_marks import figures_beside, key_beside, write_card, write_marks
from psyllm.core.base_models import base_hash
from psyllm.core.embedded import FOLDER
from psyllm.core.progress import listening
from psyllm.core.records import read_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, need_current
from psyllm.evaluate.guarding import count_reasons, judge
from psyllm.evaluate.intervals import ratio_interval, share_interval
from psyllm.evaluate.measure import variety_at_equal_size
from psyllm.evaluate.questions import Asked, draw, openings_of
from psyllm.evaluate.sample import Drawn, draw_answers
from psyllm.lm.checkpoint import load
from psyllm.lm.dialogue_score import score_dialogues
from psyllm.lm.template import COUNSELLOR, END, VISITOR, Message, record_messages
from psyllm.safety.levels import Level
from psyllm.safety.screen import screen_all
from psyllm.text.character_ngrams import Alphabet, CharacterNgrams
from psyllm.text.sentences import split_sentences

ORDERS = (3, 4, 5)
SEED = 20261123
ON_SHEET = 50
LEAST_SENTENCES = 2
SERVED = ServeSettings().decoding


class Figures(NamedTuple):
    """What is asked of the model, by the names of `ASKED`, and what else the card tells."""

    measured: dict[str, float]
    told: dict[str, Any]


def symbols(messages: Sequence[Message]) -> list[str]:
    """Return a dialogue's characters, with the marks that our template puts around them as one symbol each."""
    found: list[str] = []
    for message in messages:
        answers = message.role == "counsellor"
        found += [COUNSELLOR if answers else VISITOR, *message.text]
        if answers:
            found.append(END)
    return found


def dialogues(corpus: Path, split: str) -> Iterator[list[Message]]:
    """Yield the split's dialogues."""
    for record in read_records(corpus, prefix=split):
        yield from record_messages(record)


def bits_table(corpus: Path, model: Path, most: int, split: str) -> Figures:
    """Print and return bits per character of the model and the n-grams on the same dialogues."""
    training = [symbols(talk) for talk in dialogues(corpus, "train")]
    alphabet = Alphabet(training)
    run = alphabet.encode(list(itertools.chain.from_iterable(training)))
    held = list(dialogues(corpus, split))
    chosen = np.random.default_rng(SEED).permutation(len(held))[:most]
    talks = [held[place] for place in sorted(chosen.tolist())]
    chars = [sum(len(message.text) for message in talk) for talk in talks]
    print(
        f"{len(talks)} of {len(held)} held-out dialogues, {sum(chars):,} characters; learnt from {len(run):,} symbols"
    )
    found: dict[str, list[float]] = {}
    for order in ORDERS:
        ngrams = CharacterNgrams(run, len(alphabet), order)
        # the first mark is given to the model, so it is left out here as well
        found[f"{order}-gram"] = [
            float(ngrams.bits(alphabet.encode(symbols(talk)))[1:].sum()) for talk in talks
        ]
    scores = score_dialogues(load(model), talks)
    found["model"] = [score.nll_nats / math.log(2) for score in scores]
    peer = sum(found["5-gram"])
    told: dict[str, list[float | None]] = {}
    for name, bits in found.items():
        per = ratio_interval(bits, chars, samples=1000, seed=SEED)
        told[name] = list(per)
        print(
            f"{name:8s} {per.value:.3f} [{per.low:.3f}, {per.high:.3f}] bits per character, "
            f"{100 * sum(bits) / peer:.1f} % of the 5-gram's"
        )
    return Figures(
        {
            "bits_percent_of_5gram": 100 * sum(found["model"]) / peer,
            "bits_per_char": sum(found["model"]) / sum(chars),
            "dialogues": len(talks),
        },
        {"dialogues": len(talks), "characters": sum(chars), "bits_per_char": told},
    )


def answers_table(asked: Sequence[Asked], drawn: Sequence[Drawn]) -> Figures:
    """Print and return how many answers are whole, and how various they are beside people's."""
    texts = [answer.text for answer in drawn]
    people = [question.references[0] for question in asked]
    judged = judge(texts, [question.question() for question in asked])
    tests = {
        "the guard passes": [one.passed for one in judged],
        "end by themselves": [answer.finish == "end" for answer in drawn],
        "two sentences or more": [len(split_sentences(text.strip())) >= LEAST_SENTENCES for text in texts],
    }
    tests["all three"] = [all(each) for each in zip(*tests.values(), strict=True)]
    told: dict[str, list[float | None]] = {}
    for name, held in tests.items():
        share = share_interval(held).scaled(100)
        told[name] = list(share)
        print(f"{name:24s} {share.value:.1f} % [{share.low:.1f}, {share.high:.1f}] of {len(held)}")
    print(f"stopped for: {count_reasons(judged)}")
    various = variety_at_equal_size({"model": texts, "people": people})
    ours, theirs = (various[who]["distinct_2_chars_equal_size_percent"].value for who in ("model", "people"))
    print(f"Distinct-2 at equal size: model {ours:.1f} %, people {theirs:.1f} %, ratio {ours / theirs:.3f}")
    lengths = [np.mean([len(text) for text in side]) for side in (texts, people)]
    print(f"characters an answer: model {lengths[0]:.0f}, people {lengths[1]:.0f}")
    return Figures(
        {
            "whole_answers_percent": told["all three"][0] or 0.0,
            "guard_passed_percent": told["the guard passes"][0] or 0.0,
            "distinct_2_ratio": ours / theirs,
            "questions": len(asked),
        },
        {
            "questions": len(asked),
            "answers_percent": told,
            "distinct_2_percent": {"model": ours, "people": theirs},
        },
    )


def questions(corpus: Path, split: str, most: int) -> list[Asked]:
    """Return openings of a split that the service would let a model answer."""
    found = list(openings_of(read_records(corpus, prefix=split)))
    levels = [screened.level for screened in screen_all([[one.question()] for one in found])]
    return draw([one for one, level in zip(found, levels, strict=True) if level < Level.RISK], most, SEED)


def write_sheet(path: Path, asked: Sequence[Asked], drawn: Sequence[Drawn]) -> None:
    """Write the mixed sheet, no question and no answer twice, and the key beside it."""
    chance = np.random.default_rng(SEED)
    places = chance.permutation(len(asked))[: 2 * ON_SHEET].tolist()
    own, others = places[: len(places) // 2], places[len(places) // 2 :]
    answered_by = [*zip(own, own, strict=True), *zip(others, others[1:] + others[:1], strict=True)]
    chance.shuffle(answered_by)
    sheet = [
        {
            "number": number,
            "question": "\n".join(f"{turn.role}: {turn.text}" for turn in asked[place].prompt),
            "answer": drawn[other].text,
            "on_topic": None,
        }
        for number, (place, other) in enumerate(answered_by)
    ]
    path.write_text(json.dumps(sheet, ensure_ascii=False, indent=1), "utf-8")
    key_beside(path).write_text(json.dumps([place == other for place, other in answered_by]), "utf-8")
    print(f"{path}: fill in on_topic with true or false, then run with --marks {path} --readers WHO")


def write_figures(path: Path, model: Path, figures: Figures) -> None:
    """Write what was measured of these weights beside the sheet."""
    said = {"base_sha256": base_hash(model), **figures._asdict()}
    figures_beside(path).write_text(json.dumps(said, ensure_ascii=False, indent=1), "utf-8")


def arguments() -> argparse.Namespace:
    """Return what is asked of this run."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, default=Path("data"))
    words.add_argument("--model", type=Path, help="a model's folder; the one in use if left out")
    words.add_argument("--dialogues", type=int, default=600)
    words.add_argument("--questions", type=int, default=200)
    words.add_argument("--temperature", type=float, default=SERVED.temperature)
    words.add_argument("--top-p", type=float, default=SERVED.top_p)
    words.add_argument(
        "--split", choices=("test", "dev"), default="test", help="dev is for choosing settings"
    )
    words.add_argument("--threads", type=int, default=0)
    words.add_argument("--sheet", type=Path)
    words.add_argument("--marks", type=Path, nargs="+")
    words.add_argument("--readers", help="who read the sheets, in words")
    words.add_argument("--card", action="store_true", help="write the figures into the card again")
    words.add_argument("--into", type=Path, default=FOLDER, help="the model's folder")
    asked_for = words.parse_args()
    if asked_for.sheet and asked_for.split != "test":
        words.error("--sheet is for what is judged, so for the test split alone")
    if asked_for.marks and not asked_for.readers:
        words.error("--marks needs --readers, e.g. --readers 'two counsellors'")
    return asked_for


def main() -> None:
    asked_for = arguments()
    if asked_for.marks or asked_for.card:
        passed = write_marks(asked_for.marks, asked_for.into, asked_for.readers) if asked_for.marks else True
        write_card(asked_for.into)
        sys.exit(not passed)
    corpus, _ = need_current(asked_for.data, Stage.CORPUS)
    model = asked_for.model or need_current(asked_for.data, Stage.MODELS)[0] / "model"
    measured: dict[str, float] = {}
    told: dict[str, Any] = {"temperature": asked_for.temperature, "seed": SEED, "corpus": corpus.name}
    with listening(lambda _: None):
        if asked_for.dialogues:
            bits = bits_table(corpus, model, asked_for.dialogues, asked_for.split)
            measured, told = measured | bits.measured, told | bits.told
        if asked_for.questions:
            asked = questions(corpus, asked_for.split, asked_for.questions)
            decoding = SERVED.model_copy(
                update={"temperature": asked_for.temperature, "top_p": asked_for.top_p}
            )
            drawn = draw_answers(model, asked, decoding, threads=asked_for.threads, seed=SEED)
            answers = answers_table(asked, drawn)
            measured, told = measured | answers.measured | decoding.model_dump(), told | answers.told
            if asked_for.sheet:
                write_sheet(asked_for.sheet, asked, drawn)
    if asked_for.sheet:
        write_figures(asked_for.sheet, model, Figures(measured, told))


if __name__ == "__main__":
    main()
