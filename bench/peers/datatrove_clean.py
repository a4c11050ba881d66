"""The peer of `bench/clean.py`: datatrove cleaning the same JSON Lines, run by its own Python.

    datatrove_clean.py INPUT_FOLDER WORK_FOLDER stock|best TASKS

`stock` is what its documentation offers for Chinese: ftfy, its PII formatter, the
Gopher repetition filter and MinHash, with the word tokenizer of `cmn_Hani`.
`best` is the best that we could give it: single characters as tokens, and the
steps that our pipeline takes as plain functions (NFC and a selective width map,
the eight usual patterns of personal data, share of Chinese characters, a list of
danger words as a tag). What stays is written to WORK_FOLDER/kept.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters import GopherRepetitionFilter, LambdaFilter
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.pipeline.formatters.base import BaseFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import TextNormConfig
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer

CHINESE = "cmn_Hani"
# The same numbers as ours: 16 bands of 8, so that the work and the quality can be compared.
CONFIG = MinhashConfig(n_grams=5, num_buckets=16, hashes_per_bucket=8, hash_config=HashConfig(precision=64))
AS_THEY_STAND = TextNormConfig(
    lowercase=False,
    norm_whitespace=False,
    remove_punctuation=False,
    norm_unicode_diacritics=False,
    norm_numbers=False,
    norm_weekdays=False,
    norm_monthnames=False,
)
_WIDE = {
    code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_HAN = re.compile("[^\u4e00-\u9fff]")
_DANGER = re.compile("自杀|想死|不想活|轻生|割腕|跳楼|遗书|活不下去|结束生命|伤害自己|安眠药")
_PERSONAL = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<!\d)1[3-9]\d{9}(?!\d)",
        r"(?<!\d)[1-9]\d{5}(?:18|19|20)\d{2}[01]\d[0-3]\d\d{3}[\dXx](?!\d)",
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"(?:微信|vx|wx|VX|WX)[号：: ]{0,3}[A-Za-z][\w-]{5,19}",
        r"(?:QQ|qq|扣扣)[号：: ]{0,3}[1-9]\d{4,10}",
        r"(?<!\d)0\d{2,3}-\d{7,8}(?!\d)",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][A-Z0-9]{5,6}",
        r"[\u4e00-\u9fff]{2,8}(?:路|街|巷)\d+号",
    )
)


class Characters(WordTokenizer):
    """Single characters as words."""

    def word_tokenize(self, text: str) -> list[str]:
        """Return the characters."""
        return list("".join(text.split()))

    def sent_tokenize(self, text: str) -> list[str]:
        """Return the text whole."""
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Return the text whole."""
        return [(0, len(text))]


class Tidy(BaseFormatter):
    """Unicode, width, simplified characters and personal data, as our steps do it."""

    name = "tidy"

    def format(self, text: str) -> str:
        """Return the text tidied."""
        text = unicodedata.normalize("NFC", text).translate(_WIDE)
        for pattern in _PERSONAL:
            text = pattern.sub("〔〕", text)
        return text


def is_chinese(document: Document) -> bool:
    """Tag danger words and return whether enough of the text is Chinese."""
    document.metadata["danger"] = bool(_DANGER.search(document.text))
    return len(_HAN.sub("", document.text)) >= 0.5 * len(document.text)


def steps(kind: str) -> list[PipelineStep]:
    """Return what comes before finding duplicates."""
    if kind == "stock":
        return [FTFYFormatter(), PIIFormatter(), GopherRepetitionFilter(language=CHINESE)]
    return [Tidy(), LambdaFilter(is_chinese)]


def signature(work: Path, kind: str, config: MinhashConfig) -> MinhashDedupSignature:
    """Return the step that signs; datatrove copies it, which a tokenizer in use does not survive."""
    load_word_tokenizer.cache_clear()
    step = MinhashDedupSignature(f"{work}/signatures", config=config, language=CHINESE)
    if kind == "best":
        step.word_tokenizer = Characters()
    return step


def main(source: Path, work: Path, kind: str, tasks: int) -> None:
    """Clean and write what stays to `work/kept`."""
    config = CONFIG
    config.norm_config = TextNormConfig() if kind == "stock" else AS_THEY_STAND

    def go(pipeline: list[PipelineStep], number: int, parts: int = tasks) -> None:
        logs = f"{work}/logs/{number}"
        LocalPipelineExecutor(pipeline, tasks=parts, workers=min(parts, tasks), logging_dir=logs).run()

    cleaned = JsonlWriter(f"{work}/cleaned", compression=None)
    go([JsonlReader(str(source)), *steps(kind), cleaned], 0)
    go([JsonlReader(f"{work}/cleaned"), signature(work, kind, config)], 1)
    go([MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)], 2, config.num_buckets)
    go([MinhashDedupCluster(f"{work}/buckets", f"{work}/removed", config=config)], 3, 1)
    kept = JsonlWriter(f"{work}/kept", compression=None)
    go([JsonlReader(f"{work}/cleaned"), MinhashDedupFilter(f"{work}/removed"), kept], 4)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
