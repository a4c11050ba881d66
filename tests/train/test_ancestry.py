"""What a model may be used for depends on all that it was made from."""

import json
import shutil

import pytest

from lm.small import foreign_base
from psyllm.core.permits import permit_of_base, permit_of_model
from psyllm.lm.model_card import read_card
from psyllm.train.run import run
from train.test_run import changed, model_folder, permitted


@pytest.mark.parametrize(
    ("licence", "uses"),
    [("apache-2.0", "any"), ("cc-by-nc-4.0", "non_commercial"), ("not stated", "unknown")],
)
def test_the_licence_of_a_fetched_base_binds_what_is_trained_on_it(licence, uses, data, settings, tmp_path):
    permitted(data, uses="any", expires="", share_alike=False)
    foreign_base(tmp_path / "gpt2")
    said = {"repository": "a/gpt2", "revision": "c0ffee", "licence": licence, "files": {}}
    (tmp_path / "gpt2" / "fetched.json").write_text(json.dumps(said))
    few = changed(settings, base=tmp_path / "gpt2", adapt={"steps": 0}, answer={"steps": 2})
    for _ in range(2):  # the second time the first model is the base
        manifest = run(few, data)
        permit = manifest.details["lineage"]["permit"]
        assert permit_of_model(manifest)._asdict() == permit
        assert permit["uses"] == uses
        assert "base gpt2" in {row["source"] for row in permit["sources"]}
        assert permit_of_base(read_card(model_folder(data) / "model").lineage, "m").uses == uses
        few = changed(
            few, base=shutil.copytree(model_folder(data) / "model", tmp_path / "next", dirs_exist_ok=True)
        )
