"""Settings: four sources in order, and no misspelling passes."""

import pytest

from psyllm.core.errors import BadSetting, MissingFile
from psyllm.core.settings import Settings, load_settings, preset_names, setting_rows


def test_defaults_need_no_source():
    assert load_settings() == Settings()


def test_the_command_line_beats_the_file_and_the_file_beats_the_default(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[corpus]\nseed = 5\ntest_share = 0.2\n")
    settings = load_settings(config=path, overrides=["corpus.seed=6"])
    assert (settings.corpus.seed, settings.corpus.test_share, settings.corpus.dev_share) == (6, 0.2, 0.1)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid(name):
    assert load_settings(preset=name) != Settings()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trian.seed=1", "did you mean train?"),
        ("train.answer.stpes=1", "did you mean train.answer.steps?"),
        ("serve.port=70000", "setting serve.port"),
        ("train.answer.steps=many", "setting train.answer.steps"),
        ("seed", "section.name=value"),
    ],
)
def test_a_wrong_setting_is_told_with_what_is_right(override, words):
    with pytest.raises(BadSetting) as caught:
        load_settings(overrides=[override])
    assert words in caught.value.message
    assert caught.value.next_step


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(BadSetting, match="there are:"):
        load_settings(preset="huge")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFile, match=r"none\.toml"):
        load_settings(config=tmp_path / "none.toml")


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[corpus\n")
    with pytest.raises(BadSetting, match=r"broken\.toml"):
        load_settings(config=path)


def test_every_setting_says_what_it_does():
    rows = setting_rows(Settings())
    assert len(rows) > 50
    assert [name for name, _, sentence in rows if len(sentence) < 10] == []
