"""The one frozen tree of settings: a section for each room.

Values come from the defaults here, then `--preset`, then one TOML file
(`--config`), then `--set a.b=c`; unknown keys are refused with the nearest
known name. The environment is read for secrets only, and not here. Nothing is
read when this module is imported.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import BadSetting, MissingFile
from psyllm.core.records import Frozen
from psyllm.core.setting_types import NotNegative, Positive, Share
from psyllm.core.train_settings import TrainSettings

CONF = Path(__file__).parent.parent / "conf"


class CleanSettings(Frozen):
    """Floors and thresholds of the cleaning steps."""

    shortest_document_chars: NotNegative = Field(50, description="shorter documents are dropped")
    shortest_question_chars: NotNegative = Field(
        10, description="shorter questions (title and details) are dropped"
    )
    shortest_answer_chars: NotNegative = Field(
        50, description="shorter answers are dropped from their question"
    )
    fewest_turns: Positive = Field(2, description="dialogues with fewer turns are dropped")
    least_han_share: Share = Field(
        0.5, description="texts with a smaller share of Chinese characters are dropped"
    )
    near_duplicate_jaccard: Share = Field(
        0.8, description="5-gram Jaccard similarity from which two records are near duplicates"
    )
    simplify: bool = Field(True, description="put texts in traditional characters into simplified ones")
    leave_out_personas: bool = Field(
        True, description="drop dialogues and answers in which the counselling side plays a part"
    )
    turn_swapped_roles: bool = Field(
        True, description="turn the roles of dialogues in which each side clearly sounds like the other"
    )
    least_topic_score: Share = Field(
        0.03, description="documents less about troubles and minds are dropped (0 to 1; 0 keeps all)"
    )
    mask_pii: bool = Field(
        True, description="replace what points at a person (numbers, accounts, addresses, names) by marks"
    )
    workers: NotNegative = Field(0, description="processes that clean; 0 takes all cores")
    engine: Literal["processes", "ray"] = Field(
        "processes", description="where shards are cleaned: on this machine, or on Ray (needs psyllm[ray])"
    )


class CorpusSettings(Frozen):
    """How records are split, what is left out, and what is said of a crisis."""

    dev_share: Share = Field(0.1, description="share of the groups used to choose checkpoints")
    test_share: Share = Field(0.1, description="share of the groups kept for measuring")
    opening_chars: Positive = Field(
        14, description="records whose openings share so many Chinese characters are one group"
    )
    near_duplicate_jaccard: Share = Field(
        0.8, description="5-gram Jaccard similarity of openings from which records are one group"
    )
    most_answers_by_author_joined: NotNegative = Field(
        2,
        description="records answered by one author are one group if they are at most so many; 0 joins askers only",
    )
    evaluation_sets: tuple[Path, ...] = Field(
        (), description="files or folders of texts that must not be trained on, besides our own dev and test"
    )
    most_shared_13grams: Share = Field(
        0.05,
        description="records of training and dev with at least this share of their runs of 13 Chinese characters in what is measured on are left out",
    )
    most_of_an_item: Share = Field(
        0.5, description="and those that hold at least this share of the runs of one question measured on"
    )
    caps: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="most of a source: records from 1 on, below 1 the share of the corpus (corpus.caps.NAME=0.2)",
    )
    crisis_replies: Literal["reanswer", "leave_out", "keep"] = Field(
        "reanswer",
        description="what happens to records whose counsellor passes over a crisis; outside training, and where no reply fits, they are left out; unless it is keep, so are replies to urgent danger that nobody reviewed",
    )
    takedown: str = Field(
        "",
        description="address to which people write who want their words taken out; stands in the data card",
    )
    seed: int = Field(20261123, description="seed of the split and of what is taken under a cap")


class Decoding(Frozen):
    """How words are drawn from a model."""

    max_new_tokens: Positive = Field(220, description="longest answer")
    temperature: Annotated[float, Field(ge=0)] = Field(0.85, description="0 takes the likeliest token")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(0.9, description="nucleus sampling")
    repetition_penalty: Annotated[float, Field(gt=0)] = Field(
        1.15, description="makes repeated tokens less likely; 1 is off"
    )


class EvaluateSettings(Frozen):
    """What is measured on how much."""

    split: Literal["test", "dev"] = Field("test", description="which split is measured")
    most_scored: Positive = Field(500, description="most records scored for perplexity")
    most_generated: Positive = Field(40, description="most records answered by the model")
    shown: Positive = Field(20, description="unselected answers shown in the report")
    bootstrap_samples: Positive = Field(1000, description="resamples of the intervals")
    against: Literal["parent", "none"] = Field(
        "parent",
        description="compare with the model that this one was made from (before ratings, or its base); none spares the time",
    )
    decoding: Decoding = Field(default_factory=Decoding)
    threads: NotNegative = Field(0, description="CPU threads; 0 takes all cores")
    seed: int = Field(20261123, description="seed of drawing and resampling")


class ServeSettings(Frozen):
    """The service: where it listens and what it may do."""

    host: str = Field("127.0.0.1", description="address; anything but loopback needs a signed release")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="TCP port; 0 takes a free one")
    database: str = Field(
        "",
        description="SQLAlchemy URL of the casebook; empty is SQLite at DATA/casebook/casebook.sqlite3; the data folder notes another place, and commands without this setting take a URL with a password from PSYLLM_DATABASE",
    )
    model: Literal["fit", "any", "none"] = Field(
        "fit",
        description="which model may write to visitors, if its terms let it: one that its report finds fit (until the service is signed also the one in the package, where the model in use is not), any, or none",
    )
    most_bits_per_char: Annotated[float, Field(gt=0)] = Field(
        4.0, description="a model is fit when its report says at most so many bits per character"
    )
    least_guard_passed_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        80.0, description="and when the guard passes at least so many of its answers, in percent"
    )
    decoding: Decoding = Field(default_factory=Decoding)
    nearest_floor: Annotated[float, Field(ge=0)] = Field(
        0.40, description="how near, 0 to 1, a bundled answer must be to what was asked to be shown"
    )
    presence_s: Positive = Field(
        120, description="a counsellor counts as present so long after the last request"
    )
    staff_session_s: Positive = Field(43200, description="life of a staff session")
    region: Literal["CN", "HK", "TW", "US"] = Field("CN", description="region of the help lines shown first")
    most_message_chars: Positive = Field(4000, description="longest message taken")
    generation_timeout_s: Positive = Field(
        45, description="a run that takes longer ends with a bundled answer or the help notice"
    )
    engine_threads: NotNegative = Field(
        1, description="CPU threads of the model's process; 0 takes all cores"
    )
    secure_cookies: bool = Field(False, description="mark cookies Secure; set it behind HTTPS")


class FeedbackSettings(Frozen):
    """What comes back from the service as records."""

    least_mean_rating: Annotated[float, Field(ge=1, le=5)] = Field(
        4.0, description="a rated answer needs this mean of its four axes"
    )
    most_mean_of_bad: Annotated[float, Field(ge=1, le=5)] = Field(
        2.5,
        description="an answer whose mean is at most this counts as badly rated (`train.prefer` learns away from it); what lies between says neither",
    )
    licence: str = Field("consented-feedback", description="licence written on the records")


class Settings(Frozen):
    """The whole tree."""

    collect: CollectSettings = Field(default_factory=CollectSettings)
    clean: CleanSettings = Field(default_factory=CleanSettings)
    corpus: CorpusSettings = Field(default_factory=CorpusSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    serve: ServeSettings = Field(default_factory=ServeSettings)
    feedback: FeedbackSettings = Field(default_factory=FeedbackSettings)


def load_settings(
    preset: str | None = None, config: Path | None = None, overrides: Sequence[str] = ()
) -> Settings:
    """Return the settings after preset, file and overrides, in that order.

    Raises:
        BadSetting: an unknown key, a value of the wrong kind, a broken file.
        MissingFile: `config` does not exist.
    """
    tree: dict[str, Any] = {}
    if preset is not None:
        _merge(tree, _read_preset(preset))
    if config is not None:
        _merge(tree, _read_toml(config))
    for override in overrides:
        _merge(tree, _parse_override(override))
    _refuse_unknown(Settings, tree, "")
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = f"setting {name}: {first['msg'].lower()}"
        raise BadSetting(message, "see `psyllm settings` or docs/settings.md") from error


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    return sorted(path.stem for path in CONF.glob("*.toml"))


def setting_rows(section: BaseModel, prefix: str = "") -> list[tuple[str, str, str]]:
    """Return (dotted name, value, sentence) of every setting below `section`."""
    rows: list[tuple[str, str, str]] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            rows += setting_rows(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _shown(value), field.description or ""))
    return rows


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _read_preset(name: str) -> dict[str, Any]:
    path = CONF / f"{name}.toml"
    if name not in preset_names():
        message = f"there is no preset {name!r}; there are: {', '.join(preset_names())}"
        raise BadSetting(message, "choose one of these with --preset NAME")
    return _read_toml(path)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        message = f"settings file {path} does not exist"
        raise MissingFile(message, "check the path after --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"settings file {path} is not valid TOML: {error}"
        raise BadSetting(message, "mend the file; docs/settings.md shows the form") from error


def _parse_override(text: str) -> dict[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        message = f"--set {text!r} is not of the form section.name=value"
        raise BadSetting(message, "write for example --set train.answer.steps=50")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    tree: dict[str, Any] = {}
    level = tree
    *parents, last = name.strip().split(".")
    for parent in parents:
        level = level.setdefault(parent, {})
    level[last] = parsed
    return tree


def _merge(tree: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _refuse_unknown(model: type[BaseModel], tree: Mapping[str, Any], prefix: str) -> None:
    for key, value in tree.items():
        field = model.model_fields.get(key)
        if field is None:
            near = difflib.get_close_matches(key, model.model_fields, n=1)
            guess = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(model.model_fields)}"
            message = f"there is no setting {prefix}{key}; {guess}"
            raise BadSetting(message, "run: psyllm settings (lists every setting)")
        if (
            isinstance(value, dict)
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
        ):
            _refuse_unknown(field.annotation, value, f"{prefix}{key}.")
