"""Fit what a counsellor's side sounds like beside a visitor's, and judge it on swapped dialogues.

`python bench/roles.py fit` learns from a quarter of EmoLLM (MIT), CPsyCounD (CC BY 4.0) and part of
SmileChat (CC0) and writes `roles.npz`; `python bench/roles.py` takes the last quarter, swaps the
roles of every dialogue and prints the share turned back, and the share of the
real ones wrongly turned. Outside data are read from PSYLLM_TEST_DATA (default
../shared/data). The same data give the same bytes.
"""

from __future__ import annotations

import sys

import numpy as np

import linear_fit
from psyllm.clean import roles
from psyllm.core.records import Turn

SMILECHAT = 12_000


def main() -> None:
    """Fit when asked, then judge."""
    sources = {
        "smilechat": linear_fit.smilechat(SMILECHAT),
        "cpsycoun": linear_fit.cpsycoun(),
        "emollm": linear_fit.conversations("emollm/data"),
    }
    if "fit" in sys.argv[1:]:
        taught = [turns for found in sources.values() for turns in found[::4]]
        sides = [[linear_fit.said(turns, role) for turns in taught] for role in ("counsellor", "visitor")]
        linear_fit.save(linear_fit.fit(sides[0], sides[1], ridge=1e-5, biased=False), roles.WEIGHTS)
    print("held-out quarter: real dialogues turned, swapped dialogues turned back (95 % interval)")
    for name, found in sources.items():
        dialogues = [_turns(turns) for turns in found[3::4]]
        real = np.array([roles.are_swapped(turns) for turns in dialogues])
        swapped = np.array([roles.are_swapped(roles.turned(turns)) for turns in dialogues])
        print(f"  {name:10} {len(dialogues):6,}  {linear_fit.share(real)}   {linear_fit.share(swapped)}")


def _turns(turns: linear_fit.Turns) -> tuple[Turn, ...]:
    return tuple(
        Turn(role="visitor" if role == "visitor" else "counsellor", text=text) for role, text in turns
    )


if __name__ == "__main__":
    main()
