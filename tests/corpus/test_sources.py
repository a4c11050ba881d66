"""Terms and first-hand sources, by the names that the records bear."""

from made_up import dialogues, write_lines
from psyllm.casebook.consented import SOURCE
from psyllm.cli.main import run as cli
from psyllm.core.records import Record, Turn, read_records, write_records
from psyllm.core.settings import CorpusSettings
from psyllm.core.settled_reviews import REVIEWS_RUN, write_settled
from psyllm.core.stages import Manifest, Stage, StageRun, complete_runs, current_run, read_manifest, writing
from psyllm.corpus.run import run
from psyllm.corpus.sources import SourceTerms, own_work, source_terms


def given_back(data, name, records=()):
    with writing(StageRun(data, Stage.FEEDBACK, name, f"mark-{name}", (), {})) as stage_run:
        write_records(records, stage_run.folder)
        if name == REVIEWS_RUN:
            write_settled(stage_run.folder, [])
        return stage_run.finish(counts={"records": len(records)})


def consented(number):
    said = next(iter(dialogues(1, seed=1000 + number)))["dialog"]
    turns = tuple(
        Turn(role="counsellor" if n % 2 else "visitor", text=turn["content"]) for n, turn in enumerate(said)
    )
    return Record(
        id=f"{SOURCE}:{number}", kind="dialogue", group=f"{SOURCE}:{number}", source=SOURCE,
        licence="CC0-1.0", turns=turns,
    )  # fmt: skip


def test_what_visitors_allowed_has_known_terms_under_the_name_that_its_records_bear(tmp_path):
    data = tmp_path / "data"
    given_back(data, SOURCE, [consented(number) for number in range(60)])
    for command in (["clean", "--set", "clean.mask_pii=false"], ["corpus"]):
        assert cli([*command, "--data", str(data)]) == 0
    manifest = read_manifest(current_run(data, Stage.CORPUS))
    assert {record.source for record in read_records(current_run(data, Stage.CORPUS), prefix="train")} == {
        SOURCE
    }
    assert manifest.details["permit"]["uses"] == "any"
    assert manifest.details["own_work"] == [SOURCE]
    assert run(CorpusSettings(), data).run == manifest.run


def test_only_what_somebody_said_at_import_is_first_hand_and_reviews_are_no_source(tmp_path):
    for name, said in (("ours", ["--own-work"]), ("other", [])):
        path = str(write_lines(dialogues(3, seed=len(name)), tmp_path / name))
        words = ["collect", "import", path, "--name", name, "--licence", "MIT", *said]
        assert cli([*words, "--data", str(tmp_path / "data")]) == 0
    data = tmp_path / "data"
    given_back(data, REVIEWS_RUN)
    parents = [
        one.as_parent() for stage in (Stage.COLLECTED, Stage.FEEDBACK) for one in complete_runs(data, stage)
    ]
    gone = parents[0].model_copy(update={"run": "gone"})
    cleaned = Manifest(stage="2_cleaned", run="c", fingerprint="f", parents=(*parents, gone))
    assert source_terms(cleaned, data) == {"ours": SourceTerms(), "other": SourceTerms()}
    assert own_work(cleaned, data) == ["ours"]
