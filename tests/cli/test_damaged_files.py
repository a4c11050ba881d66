"""A damaged file of a complete run is named with what to do, whoever meets it."""

import shutil

import pytest

from made_up import dialogues, write_lines
from psyllm.clean.run import run as clean
from psyllm.cli.main import run as cli
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import MalformedInput
from psyllm.core.fingerprints import read_index
from psyllm.core.records import readable
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, current_run
from psyllm.corpus.run import run as corpus


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("damaged") / "data"
    path = write_lines(dialogues(40), home.parent / "x.input")
    collect(CollectSettings(path=path, name="x", licence="CC0-1.0"), home)
    clean(CleanSettings(), home)
    corpus(CorpusSettings(), home)
    return home


@pytest.fixture
def data(made, tmp_path):
    return shutil.copytree(made, tmp_path / "data")


@pytest.mark.parametrize(
    ("stage", "prefix", "command"),
    [
        ("1_collected", "part", ("clean", "--set", "clean.shortest_answer_chars=3")),
        ("2_cleaned", "part", ("clean", "review")),
        ("2_cleaned", "part", ("corpus", "--set", "corpus.seed=5")),
        ("3_corpus", "train", ("corpus", "export", "messages")),
    ],
)
@pytest.mark.parametrize("damage", ["torn", "inside"])
def test_a_damaged_file_ends_in_two_lines(data, stage, prefix, command, damage, capsys):
    path = next((data / stage).glob(f"*/{prefix}-*.parquet"))
    raw = path.read_bytes()
    middle = len(raw) // 4
    path.write_bytes(raw[:middle] if damage == "torn" else raw[:4] + bytes(middle) + raw[4 + middle :])
    assert cli([*command, "--data", str(data)]) == 2
    said = capsys.readouterr().err
    assert f"{path.name} is damaged" in said
    assert "make it again" in said


def test_a_missing_right_or_too_little_memory_is_no_damage(tmp_path):
    for error in (PermissionError(13, "no"), MemoryError()):
        with pytest.raises(type(error)), readable(tmp_path):
            raise error
    with pytest.raises(MalformedInput), readable(tmp_path):
        raise OSError


@pytest.mark.parametrize("index", ["[]", "{}", "1", '{"version": 1, "run_chars": 13, "sources": []}', "["])
def test_fingerprints_that_can_t_be_read_count_as_absent(data, index):
    folder = current_run(data, Stage.CORPUS)
    (folder / "fingerprints" / "fingerprints.json").write_text(index)
    assert read_index(folder) is None


@pytest.mark.parametrize("facts", ["{bad", "[]"])
def test_an_export_is_not_written_over_one_that_does_not_say_what_it_holds(data, facts, capsys):
    assert cli(["corpus", "export", "messages", "--data", str(data)]) == 0
    (data / "exports" / "messages" / "export.json").write_text(facts)
    assert cli(["corpus", "export", "messages", "--data", str(data)]) == 2
    assert "holds files that are of no export" in capsys.readouterr().err
