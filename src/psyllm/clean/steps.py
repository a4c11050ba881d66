"""The cleaning steps by name and in order.

Each step is a pure function: a record comes in, and the same record, a mended
one or a Drop with its reason goes out. Mending comes before judging, and what
points at a person is masked before anything can be dropped, so that dropped
records are masked too; danger and minors are marked right after, so that
dropped records have their flags. From there on no step takes the words away
that made a record dangerous. Duplicates need all records at once and are found
in `duplicates.py`. A crisis is marked and never a reason to drop.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from psyllm.clean import dialogue_ends, dialogue_steps, document_lines, quality
from psyllm.clean.drop import Drop
from psyllm.clean.minors import mark_minors, may_tell_age
from psyllm.clean.model_voice import leave_out_model_voice, may_be_model_voice
from psyllm.clean.persona import leave_out_all_personas, leave_out_personas
from psyllm.clean.rewriting import change_texts
from psyllm.clean.roles import may_be_swapped, turn_swapped_roles
from psyllm.clean.site_lines import take_out_all_site_lines, take_out_site_lines
from psyllm.clean.step import Apply, Result, Step, where
from psyllm.clean.topic import score_topic, score_topics
from psyllm.core.records import Answer, Record
from psyllm.core.settings import CleanSettings
from psyllm.safety.levels import Level
from psyllm.safety.screen import screen, screen_all
from psyllm.text.fold import Folded, are_tidy, clean_text
from psyllm.text.han import han_count, han_share
from psyllm.text.offsets import Offsets
from psyllm.text.pii import Masked, find_pii, mask_texts, without_marks
from psyllm.text.sentences import split_sentences
from psyllm.text.simplified import simplified
from psyllm.text.traditional import character_class, traditional_only

LEVEL_FLAG = "level:"
# A line of a document this long with so few Chinese characters is a reference or an address.
FOREIGN_LINE_CHARS = 20
FOREIGN_LINE_MOST_SHARE = 0.2
LOOP_SENTENCE_CHARS = 10
FEWEST_REPEATS_OF_A_SENTENCE = 3


def steps(settings: CleanSettings) -> tuple[Step, ...]:
    """Return the steps in the order in which they are taken."""
    floors = {
        "document": settings.shortest_document_chars,
        "question": settings.shortest_question_chars,
    }
    marking = (
        Step("mend_markup", quality.mend_markup),
        _looking("even_out_text", may_be_untidy, partial(change_texts, change=clean_text)),
        *([Step("simplify", simplify)] if settings.simplify else []),
        *([Step("mask_personal_data", mask_personal_data)] if settings.mask_pii else []),
        *(
            [_looking("turn_swapped_roles", may_be_swapped, turn_swapped_roles)]
            if settings.turn_swapped_roles
            else []
        ),
        _looking("mark_minors", may_tell_age, mark_minors),
        Step("mark_level", mark_level, mark_levels),
    )
    later = (
        _looking("need_whole_text", quality.may_be_broken, quality.need_whole_text),
        _looking("leave_out_model_voice", may_be_model_voice, leave_out_model_voice),
        *(
            [Step("leave_out_personas", leave_out_personas, leave_out_all_personas)]
            if settings.leave_out_personas
            else []
        ),
        Step("take_out_site_lines", take_out_site_lines, take_out_all_site_lines),
        Step("take_out_page_lines", document_lines.without_page_lines),
        Step("take_out_foreign_lines", without_foreign_lines),
        Step("take_out_repeated_paragraphs", document_lines.without_repeated_paragraphs),
        _looking(
            "take_out_stage_directions",
            dialogue_steps.may_hold_directions,
            dialogue_steps.without_stage_directions,
        ),
        Step("take_out_empty_turns", dialogue_steps.without_empty_turns),
        Step("merge_turns_of_one_role", dialogue_steps.with_turns_merged),
        Step("cut_at_loop", dialogue_steps.cut_at_loop),
        Step("cut_courtesies", dialogue_ends.cut_courtesies),
        Step("mend_last_turn", dialogue_ends.mend_last_turn),
        Step("need_both_voices", dialogue_steps.need_both_voices),
        Step("need_two_sides", dialogue_ends.need_two_sides),
        Step("need_turns", partial(need_turns, fewest=settings.fewest_turns)),
        Step(
            "leave_out_poor_answers", partial(leave_out_poor_answers, shortest=settings.shortest_answer_chars)
        ),
        Step("need_length", partial(need_length, floors=floors)),
        Step("need_text", quality.need_text),
        Step("need_variety", quality.need_variety),
        _with_setting(
            "need_chinese",
            quality.need_chinese,
            quality.need_chinese_all,
            least_share=settings.least_han_share,
        ),
        _with_setting("score_topic", score_topic, score_topics, least=settings.least_topic_score),
    )
    return (*marking, *map(keeping_danger, later))


def _looking(name: str, look: Callable[[Sequence[Record]], list[bool]], apply: Apply) -> Step:
    return Step(name, apply, where(look, apply))


def _with_setting(
    name: str, apply: Callable[..., Result], apply_all: Callable[..., list[Result]], **setting: float
) -> Step:
    return Step(name, partial(apply, **setting), partial(apply_all, **setting))


def keeping_danger(step: Step) -> Step:
    """Return the step so that it never takes away the words for which a record was marked.

    A farewell behind thanks, a confession in brackets: what looks like an empty courtesy or a stage
    direction may be the one sentence that tells of the danger. Such a record stays as it is.
    """

    def apply(record: Record) -> Result:
        return _kept_dangerous(record, step.apply(record))

    def apply_all(records: Sequence[Record]) -> list[Result]:
        return list(map(_kept_dangerous, records, step.take(records)))

    return Step(step.name, apply, apply_all)


def _kept_dangerous(record: Record, result: Result) -> Result:
    if result is record or isinstance(result, Drop) or not _is_marked(record):
        return result
    if _said(result) == _said(record):
        return result
    return result if visitor_level(result) >= visitor_level(record) else record


def _is_marked(record: Record) -> bool:
    return any(flag.startswith(LEVEL_FLAG) for flag in record.flags)


def _said(record: Record) -> list[str]:
    return [turn.text for turn in record.turns if turn.role == "visitor"] or [record.opening()]


def may_be_untidy(records: Sequence[Record]) -> list[bool]:
    """Return in which records a text may have to be evened out."""
    return [not are_tidy(list(record.texts())) for record in records]


def simplify(record: Record) -> Record:
    """Put texts in traditional characters into simplified ones."""
    if _traditional().search("".join(record.texts())) is None:
        return record
    return change_texts(record, simplified)


def mask_personal_data(record: Record) -> Record:
    """Put marks in place of what points at a person; a name told in one text is masked in all.

    A topic or keyword that points at one is taken out.
    """
    masked = mask_texts(list(record.texts()))
    labelled = _without_labels_of_persons(record, is_somebody_known=bool(masked))
    if not masked:
        return labelled
    changed = change_texts(labelled, lambda text: _masked(text, masked))
    # A place may swallow a word of danger that runs into it; what was read before it stays.
    return changed if visitor_level(changed) >= visitor_level(record) else mark_level(record, changed)


def _without_labels_of_persons(record: Record, *, is_somebody_known: bool) -> Record:
    """Return the record without the labels that point at a person, told by themselves or by a text."""
    labels = [label for label in dict.fromkeys([record.topic, *record.keywords]) if label]
    if not labels or not (is_somebody_known or find_pii("\n".join(labels))):
        return record
    masked = mask_texts([*record.texts(), *labels])
    if masked.keys().isdisjoint(labels):
        return record
    keywords = tuple(word for word in record.keywords if word not in masked)
    topic = "" if record.topic in masked else record.topic
    return record.model_copy(update={"topic": topic, "keywords": keywords})


def without_foreign_lines(record: Record) -> Record:
    """Take out of a document the lines that are hardly Chinese: lists of references, addresses."""
    if record.kind != "document":
        return record
    lines = record.text.split("\n")
    kept = [line for line in lines if not _is_foreign(line)]
    if len(kept) == len(lines):
        return record
    return record.model_copy(update={"text": clean_text("\n".join(kept)).text})


def need_turns(record: Record, *, fewest: int) -> Record | Drop:
    """Drop a dialogue with fewer turns."""
    if record.kind == "dialogue" and len(record.turns) < fewest:
        return Drop("few_turns")
    return record


def leave_out_poor_answers(record: Record, *, shortest: int) -> Record | Drop:
    """Take out short answers and answers that repeat a sentence; drop a question that has none left."""
    if record.kind != "question":
        return record
    kept = tuple(answer for answer in record.answers if not _is_poor(answer, shortest))
    if not kept:
        return Drop("no_answer")
    return record if len(kept) == len(record.answers) else record.model_copy(update={"answers": kept})


def need_length(record: Record, *, floors: dict[str, int]) -> Record | Drop:
    """Drop a document or question (title and text) shorter than the floor of its kind, in characters."""
    floor = floors.get(record.kind)
    if floor is not None and len(record.opening()) < floor:
        return Drop(f"short_{record.kind}")
    return record


def mark_level(record: Record, marked: Record | None = None) -> Record:
    """Put the level of danger in what the visitor says among the flags; nothing is dropped for it.

    A level that stands there already is never lowered. The flag goes to `marked`, if one is given.
    """
    return _with_level(record, visitor_level(record), record if marked is None else marked)


def mark_levels(records: Sequence[Record]) -> list[Result]:
    """Do `mark_level` with many records."""
    speaking = [record for record in records if record.kind != "document"]
    levels = iter(screen_all([_screened(record) for record in speaking]))
    return [
        _with_level(record, Level.NONE if record.kind == "document" else next(levels).level, record)
        for record in records
    ]


def _with_level(record: Record, read: Level, marked: Record) -> Record:
    known = [level for level in Level if f"{LEVEL_FLAG}{level.label}" in record.flags]
    level = max([read, *known])
    flags = tuple(flag for flag in record.flags if not flag.startswith(LEVEL_FLAG))
    if level > Level.NONE:
        flags += (f"{LEVEL_FLAG}{level.label}",)
    return marked if flags == marked.flags else marked.model_copy(update={"flags": flags})


def visitor_level(record: Record) -> Level:
    """Return the level of a dialogue's visitor or of a question; a document has none."""
    if record.kind == "document":
        return Level.NONE
    return screen(_screened(record)).level


def _screened(record: Record) -> list[str]:
    return [without_marks(text) for text in _said(record)]


@functools.cache
def _traditional() -> re.Pattern[str]:
    # Ranges beyond the basic plane are slow: all of Chinese there is one.
    basic = frozenset(character for character in traditional_only() if character <= "\uffff")
    return re.compile(f"[{character_class(basic)}\U00020000-\U000323af]")


def _is_foreign(line: str) -> bool:
    return len(line) >= FOREIGN_LINE_CHARS and han_share(line) < FOREIGN_LINE_MOST_SHARE


def _masked(text: str, masked: Mapping[str, Masked]) -> Folded:
    one = masked.get(text)
    return Folded(text, Offsets()) if one is None else Folded(one.text, one.shift)


def _is_poor(answer: Answer, shortest: int) -> bool:
    is_short = len(answer.text) < shortest and answer.author != "counsellor"  # one of ours knows why
    return is_short or _repeats_a_sentence(answer.text)


def _repeats_a_sentence(text: str) -> bool:
    said = [sentence.strip() for sentence in split_sentences(text)]
    long = Counter(sentence for sentence in said if han_count(sentence) >= LOOP_SENTENCE_CHARS)
    return any(count >= FEWEST_REPEATS_OF_A_SENTENCE for count in long.values())
