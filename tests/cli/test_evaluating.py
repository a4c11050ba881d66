"""`psyllm evaluate compare`: refusals that name what is there, and options where they belong."""

from psyllm.cli.main import run
from training_story import put_complete, put_corpus


def test_a_run_that_is_not_there_is_refused_with_those_that_are(tmp_path, capsys):
    put_complete(tmp_path, "model-a", put_corpus(tmp_path))
    assert run(["evaluate", "compare", "model-a", "model-b", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no finished run model-b; finished: model-a" in said
    assert "next: name one of these" in said


def test_one_model_is_no_comparison(tmp_path, capsys):
    put_complete(tmp_path, "model-a", put_corpus(tmp_path))
    assert run(["evaluate", "compare", "model-a", "--data", str(tmp_path)]) == 2
    assert "a comparison is of two or more" in capsys.readouterr().err
