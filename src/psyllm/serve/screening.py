"""Screening before anything else: fails and delays fall towards help.

Visitor's turns come in, a judgement for the casebook goes out. A screening
that raises or takes too long counts as risk, so that help is shown, a case is
opened and nothing is generated. It has threads of its own: slow work
elsewhere can't hold it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from psyllm.casebook.talk import Judgement
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.levels import Level
from psyllm.safety.notices import Notice, notice_for
from psyllm.safety.screen import Screening, screen

log = logging.getLogger(__name__)

LIMIT_S = 2.0
FAILED_RULE = "screening_failed"
Screen = Callable[[Sequence[str]], Screening]


class Screener:
    """Screens in its own threads; close it at the end."""

    def __init__(self, screen_turns: Screen = screen, limit_s: float = LIMIT_S) -> None:
        self._screen = screen_turns
        self._limit_s = limit_s
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="screening")

    async def judge(self, turns: Sequence[Private], language: Language = Language.ZH) -> Judgement:
        """Return the judgement of the dialogue whose newest turn is the last; never raises.

        Its notice is in `language`.
        """
        words = [turn.reveal() for turn in turns]
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._screen, words)
        [found] = await asyncio.gather(asyncio.wait_for(work, self._limit_s), return_exceptions=True)
        if isinstance(found, BaseException):
            # The kind only: an error's text may quote what it failed on.
            log.error("screening failed with %s; treated as risk", type(found).__name__)
            return Judgement(
                Level.RISK, Level.RISK, (FAILED_RULE,), "", Private(Notice.NOT_SCREENED.words(language))
            )
        rules = tuple(dict.fromkeys(reason.rule for reason in found.reasons))
        notice = Private(notice_for(found).words(language))
        return Judgement(found.level, found.message_level, rules, found.lexicon_version, notice)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
