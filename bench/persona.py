"""Fit the persona score and judge both judges of `clean.persona` on what neither saw.

`python bench/persona.py fit` learns from half of the reject sets (MIT) against half
of EmoLLM (MIT), CPsyCounD (CC BY 4.0) and part of SmileChat (CC0) what persona chatter looks
like, sets the limit on a further quarter so that 0.1 % of each real source lies
above it, and writes `persona.npz`. `python bench/persona.py` judges on the
last quarter: share of personas caught and of real counselling lost, and, with
tables fitted on one style alone, the share of the other style caught. Outside data are read from
PSYLLM_TEST_DATA (default ../shared/data). The same data give the same bytes.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

import linear_fit
from psyllm.clean import persona
from psyllm.clean.linear_score import LinearScore, load_score

STYLES = ("aiwei", "tiangou")
LEFT_OF_EACH_REAL_SOURCE = 0.999
REAL_SMILECHAT = 24_000
MADE_UP = Path(__file__).parent.parent / "tests" / "clean" / "persona_styles.toml"

Said = list[list[str]]  # the counselling side's turns of each dialogue


def read_all() -> dict[str, Said]:
    """Return what the counselling side says, by source."""
    sources = {
        "smilechat": linear_fit.smilechat(REAL_SMILECHAT),
        "cpsycoun": linear_fit.cpsycoun(),
        "emollm": linear_fit.conversations("emollm/data"),
        **{name: linear_fit.conversations(f"reject/persona_{name}") for name in STYLES},
    }
    return {
        name: [[text for role, text in turns if role == "counsellor"] for turns in dialogues]
        for name, dialogues in sources.items()
    }


def part(said: Said, *places: int) -> Said:
    """Return every fourth dialogue from these places on: 0 and 2 teach, 1 sets the limit, 3 judges."""
    return [turns for number, turns in enumerate(said) if number % 4 in places]


def fitted(sources: Mapping[str, Said], styles: Sequence[str]) -> LinearScore:
    """Return a table that scores above zero what is persona and not counselling."""
    real = {name: said for name, said in sources.items() if name not in STYLES}
    wanted = [text for name in styles for text in _texts(part(sources[name], 0, 2))]
    others = _texts(part(real["smilechat"], 0)[:3000]) + _texts(part(real["cpsycoun"], 0, 2))
    others += _texts(part(real["emollm"], 0, 2)) * 2
    table = linear_fit.fit(wanted, others)
    limit = max(
        float(np.quantile([table.of(text) for text in _texts(part(said, 1))], LEFT_OF_EACH_REAL_SOURCE))
        for said in real.values()
    )
    return table._replace(bias=table.bias - limit)


def judge(sources: Mapping[str, Said]) -> None:
    """Print the shares found by each judge and by both."""
    print("held-out quarter: share called persona (95 % interval) by both, by signs alone, by score alone")
    _print_shares(sources, persona.signs_alone, load_score(persona.WEIGHTS), STYLES)
    for known in STYLES:
        other = [name for name in STYLES if name != known]
        print(f"fitted on {known} alone")
        _print_shares(sources, persona.signs_alone, fitted(sources, [known]), other)


def judge_made_up() -> None:
    """Print which of our own made-up styles are caught."""
    tables = tomllib.loads(MADE_UP.read_text("utf-8"))
    for known in (True, False):
        rows = [row for row in tables["style"] if row["known"] is known]
        caught = sum(persona.is_persona(turns) for row in rows for turns in row["dialogues"])
        whole = sum(any(map(persona.is_persona, row["dialogues"])) for row in rows)
        dialogues = sum(len(row["dialogues"]) for row in rows)
        name = "gave words to the table" if known else "gave none"
        print(f"made-up styles that {name}: {caught} of {dialogues} dialogues, {whole} of {len(rows)} styles")
    lost = sum(persona.is_persona(row["turns"]) for row in tables["counselling"])
    print(f"made-up counselling lost: {lost} of {len(tables['counselling'])}")


def _print_shares(
    sources: Mapping[str, Said],
    by_signs: Callable[[Sequence[str]], bool],
    table: LinearScore,
    styles: Sequence[str],
) -> None:
    for name, all_said in sources.items():
        if name in STYLES and name not in styles:
            continue
        held_out = part(all_said, 3)
        signs = np.array([by_signs(said) for said in held_out])
        score = np.array([persona.scores_high("\n".join(said), table) for said in held_out])
        cells = [linear_fit.share(found) for found in (signs | score, signs, score)]
        print(f"  {name:10} {len(held_out):6,}  " + "   ".join(cells))


def _texts(said: Said) -> list[str]:
    return ["\n".join(turns) for turns in said]


if __name__ == "__main__":
    everything = read_all()
    if "fit" in sys.argv[1:]:
        linear_fit.save(fitted(everything, STYLES), persona.WEIGHTS)
    judge(everything)
    judge_made_up()
