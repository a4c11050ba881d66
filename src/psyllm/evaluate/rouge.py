"""ROUGE-L: how long a common subsequence an answer shares with a reference.

F1 of precision LCS / |answer| and recall LCS / |reference|, which is
2 LCS / (|answer| + |reference|). In: two lists of units, or texts to be cut
into characters or words. Out: 0 to 1. An answer without units scores 0, against
an empty reference too. There is no stemming, no sentence splitting (this is
ROUGE-L, not ROUGE-Lsum) and no weight on recall.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from psyllm.evaluate.units import Unit, split_units


def rouge_l(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Return ROUGE-L F1 of two lists of units, symmetric in its arguments."""
    if not answer or not reference:
        return 0.0
    common = LCSseq.similarity(answer, reference)
    return float(2 * common / (len(answer) + len(reference)))


def best_rouge_l(answer: str, references: Sequence[str], *, unit: Unit) -> float:
    """Return ROUGE-L F1 against the reference that the answer fits best; 0 without references."""
    units = split_units(answer, unit)
    return max((rouge_l(units, split_units(reference, unit)) for reference in references), default=0.0)
