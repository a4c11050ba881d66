"""The desk's pages of trainings: what supervisors read, from where, and what nobody gets."""

import errno
import json
import math
from pathlib import Path

import pytest

from psyllm.casebook.kinds import Role
from psyllm.core.permits import BASE
from psyllm.core.run_events import DESCRIPTION, METRICS, NOW, being_made
from psyllm.core.stages import CURRENT, EVENTS, MANIFEST, Parent, Stage, StageRun, stage_folder, writing
from psyllm.serve import training_runs
from serve_house import House
from training_story import LINES, PERMIT, put_complete, put_corpus, put_report, put_unfinished, write_lines

pytestmark = pytest.mark.anyio
URL = "/api/staff/trainings"


async def boss(house: House):
    return await house.hire("chen", Role.SUPERVISOR)


async def test_without_trainings_the_list_is_empty(house: House) -> None:
    assert (await (await boss(house)).get(URL)).json() == []


async def test_a_counsellor_is_refused_with_a_next_step(house: House) -> None:
    put_complete(house.data, "model-1")
    desk = await house.hire()
    for path in (URL, f"{URL}/model-1", f"{URL}/model-1/curve"):
        refused = await desk.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "PSY-502")
        assert "supervisor" in refused.json()["next"]


async def test_all_trainings_are_listed_running_ones_first_and_the_one_in_use_is_marked(house: House) -> None:
    put_complete(house.data, "model-1")
    put_complete(house.data, "model-2")
    put_unfinished(house.data, "model-3")
    running = put_unfinished(house.data, "model-4", adapt={"steps": 50})
    (stage_folder(house.data, Stage.MODELS) / ".hidden").mkdir()
    desk = await boss(house)
    with being_made(running):
        found = (await desk.get(URL)).json()
    assert found[0]["name"] == "model-4"
    assert {one["name"]: (one["state"], one["in_use"]) for one in found} == {
        "model-1": ("complete", False),
        "model-2": ("complete", True),
        "model-3": ("interrupted", False),
        "model-4": ("running", False),
    }
    stages = {one["name"]: one["stages"] for one in found}
    assert [(one["name"], one["steps"], one["planned"], one["dev_loss"]) for one in stages["model-4"]] == [
        ("adapt", 20, 50, 5.5),
        ("answer", 10, 100, 4.4),
    ]
    assert stages["model-1"][0]["tokens_seen"] == 30_720


async def test_metrics_are_read_again_only_when_they_have_grown(house: House, monkeypatch) -> None:
    folder = put_unfinished(house.data, "model-1")
    real, read = Path.read_bytes, []

    def noted(path):
        if path.name == METRICS:
            read.append(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    desk = await boss(house)
    first, again = [(await desk.get(URL)).json() for _ in range(2)]
    assert first == again
    assert len(read) == 1
    with (folder / METRICS).open("a") as file:
        file.write('{"stage": "answer", "step": 30, "dev_loss": 4.1}\n')
    grown = (await desk.get(URL)).json()[0]["stages"][-1]
    assert (grown["steps"], grown["best_step"], grown["dev_loss"]) == (30, 30, 4.1)


async def test_metrics_that_could_not_be_read_once_are_read_the_next_time(house: House, monkeypatch) -> None:
    put_unfinished(house.data, "model-1")
    real, failed = Path.read_bytes, []

    def failing_once(path):
        if path.name == METRICS and not failed:
            failed.append(path)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", failing_once)
    desk = await boss(house)
    first, again = [(await desk.get(URL)).json()[0]["stages"] for _ in range(2)]
    assert first == []
    assert [one["name"] for one in again] == ["adapt", "answer"]


async def test_a_damaged_manifest_hides_no_other_training(house: House) -> None:
    put_complete(house.data, "model-1")
    put_complete(house.data, "model-2")
    (stage_folder(house.data, Stage.MODELS) / "model-1" / MANIFEST).write_text("{ torn")
    desk = await boss(house)
    found = {one["name"]: one["state"] for one in (await desk.get(URL)).json()}
    assert found == {"model-1": "unreadable", "model-2": "complete"}
    assert (await desk.get(f"{URL}/model-1")).json()["settings"] == []
    assert len((await desk.get(f"{URL}/model-1/curve")).json()["lines"]) == len(LINES)


@pytest.mark.parametrize(
    "strange",
    [
        {"began_at": "x"},
        {"began_at": "2026-11-25T08:00:00"},
        {"began_at": 7},
        {"machine": None, "versions": None},
        {"machine": 3, "versions": ["torch"]},
        {"settings": [1], "parents": "x", "lineage": 5},
        {"settings": {"adapt": {"steps": 10**400}}},
        {
            "parents": [{"stage": BASE, "run": "base", "content_hash": "x"}],
            "lineage": {"base_lineage": {"run": "..", "base": "x"}},
        },
    ],
)
async def test_a_strange_description_hides_neither_its_training_nor_another(house: House, strange) -> None:
    put_complete(house.data, "model-1")
    folder = put_unfinished(house.data, "model-2")
    path = folder / EVENTS / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | strange))
    desk = await boss(house)
    found = {one["name"]: one["state"] for one in (await desk.get(URL)).json()}
    assert found == {"model-1": "complete", "model-2": "interrupted"}
    said = await desk.get(f"{URL}/model-2")
    assert said.status_code == 200
    assert said.json()["summary"]["stages"][0]["steps"] == 20
    assert {step["run"] for step in said.json()["lineage"]} <= {"", "model-2"}


async def test_files_that_nobody_can_read_hide_no_training(house: House) -> None:
    put_complete(house.data, "model-1")
    folder = put_unfinished(house.data, "model-2")
    (folder / METRICS).unlink()
    (folder / METRICS).mkdir()
    (folder / EVENTS / DESCRIPTION).write_text("[" * 100_000)
    (stage_folder(house.data, Stage.MODELS) / CURRENT).write_bytes(b"\xff\xfe")
    desk = await boss(house)
    found = (await desk.get(URL)).json()
    assert {one["name"]: (one["state"], one["in_use"], len(one["stages"])) for one in found} == {
        "model-1": ("complete", False, 1),
        "model-2": ("interrupted", False, 0),
    }
    assert (await desk.get(f"{URL}/model-2")).json()["machine"] == []
    assert (await desk.get(f"{URL}/model-2/curve?start=7")).json()["lines"] == []


async def test_what_is_counted_in_epochs_has_no_planned_steps_before_they_are_counted(house: House) -> None:
    put_unfinished(house.data, "model-1", adapt={"epochs": 2})
    put_complete(house.data, "model-2", adapt={"epochs": 2})
    desk = await boss(house)
    planned = {one["name"]: one["stages"][0]["planned"] for one in (await desk.get(URL)).json()}
    assert planned == {"model-1": None, "model-2": 40}


async def test_one_training_says_what_it_is_made_of(house: House) -> None:
    corpus = put_corpus(house.data)
    model = put_complete(house.data, "model-1", corpus, adapt={"steps": 20}, base="/home/li-hua/wenzhong")
    put_report(house.data, model, 6.6)
    said = (await (await boss(house)).get(f"{URL}/model-1")).json()
    differing = [(one["name"], one["value"], one["default"]) for one in said["settings"] if one["differs"]]
    assert differing == [("base", "wenzhong", ""), ("adapt.steps", "20", "100")]
    assert [one["differs"] for one in said["settings"]][:3] == [True, True, False]
    assert said["corpus"] == {"run": "corpus-1", "content_hash": corpus.content_hash, "here": True}
    assert (said["permit"]["uses"], said["permit"]["expires"]) == ("research", "2099-06-30")
    assert said["report"]["figures"] == [
        {"name": "bits_per_char", "value": 6.6, "low": 6.5, "high": pytest.approx(6.7)}
    ]
    assert said["content_hash"] == model.content_hash
    assert said["tokenizer_hash"] == model.files["model/tokenizer.json"]
    assert {one["name"] for one in said["machine"]} == {"cores", "precision"}
    assert "li-hua" not in json.dumps(said)


async def test_a_report_on_another_model_of_the_same_name_is_not_this_ones(house: House) -> None:
    model = put_complete(house.data, "model-1")
    put_report(house.data, model.model_copy(update={"content_hash": "other"}), 3.0)
    desk = await boss(house)
    assert (await desk.get(f"{URL}/model-1")).json()["report"] is None
    put_report(house.data, model, 6.6)
    assert (await desk.get(f"{URL}/model-1")).json()["report"]["run"] == "report-6.6"


async def test_a_comparison_of_two_models_is_the_report_of_neither(house: House) -> None:
    model, other = (put_complete(house.data, name) for name in ("model-1", "model-2"))
    put_report(house.data, model, 6.6)
    both = (model.as_parent(), other.as_parent())
    with writing(StageRun(house.data, Stage.REPORTS, "comparison-1", "mark", both, {})) as run:
        (run.folder / "metrics.json").write_text(json.dumps({"figures": {}}))
        run.finish(counts={}, take_into_use=False)
    desk = await boss(house)
    assert (await desk.get(f"{URL}/model-1")).json()["report"]["run"] == "report-6.6"
    assert (await desk.get(f"{URL}/model-2")).json()["report"] is None


async def test_the_lineage_is_a_chain_from_the_eldest_to_this_one(house: House) -> None:
    first = put_complete(house.data, "model-1")
    middle = {
        "run": "model-1",
        "base": "wenzhong",
        "permit": PERMIT,
        "base_lineage": None,
    }
    base = Parent(stage=BASE, run="model", content_hash=first.content_hash)
    lineage = {"permit": PERMIT, "base_lineage": middle}
    put_complete(house.data, "model-2", base, lineage=lineage, adapt={"steps": 0})
    desk = await boss(house)
    chain = (await desk.get(f"{URL}/model-2")).json()["lineage"]
    assert [(one["kind"], one["name"], one["run"]) for one in chain] == [
        ("base", "wenzhong", ""),
        ("model", "model-1", "model-1"),
        ("answer", "model-2", "model-2"),
    ]
    assert [one["kind"] for one in (await desk.get(f"{URL}/model-1")).json()["lineage"]] == [
        "nothing",
        "adapt",
        "answer",
    ]


async def test_a_corpus_that_changed_or_went_is_told(house: House) -> None:
    corpus = put_corpus(house.data)
    put_complete(house.data, "model-1", corpus.model_copy(update={"content_hash": "before"}))
    put_complete(house.data, "model-2", corpus.model_copy(update={"run": "corpus-gone"}))
    desk = await boss(house)
    for name in ("model-1", "model-2"):
        assert (await desk.get(f"{URL}/{name}")).json()["corpus"]["here"] is False


async def test_curves_are_read_from_where_the_last_answer_ended(house: House) -> None:
    folder = put_unfinished(house.data, "model-1")
    write_lines(folder, LINES[:3])
    desk = await boss(house)
    with being_made(folder):
        first = (await desk.get(f"{URL}/model-1/curve")).json()
        assert [line["step"] for line in first["lines"]] == [10, 20, 20]
        assert (first["state"], first["now"]["done"], first["now"]["share"]) == ("running", 12, 0.4)
        nothing = (await desk.get(f"{URL}/model-1/curve?start={first['next']}")).json()
        assert (nothing["lines"], nothing["next"], nothing["more"]) == ([], first["next"], False)
        write_lines(folder)
        more = (await desk.get(f"{URL}/model-1/curve?start={first['next']}")).json()
    assert [(line["stage"], line["step"]) for line in more["lines"]] == [("answer", 10), ("answer", 10)]
    write_lines(folder, LINES[:1])
    anew = (await desk.get(f"{URL}/model-1/curve?start={more['next']}")).json()
    assert (anew["start"], len(anew["lines"]), anew["state"], anew["now"]) == (0, 1, "interrupted", None)


async def test_long_curves_come_in_parts_of_whole_lines(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_runs, "MOST_BYTES_AT_ONCE", 150)
    put_complete(house.data, "model-1")
    desk = await boss(house)
    steps, start, answers = [], 0, 0
    while True:
        found = (await desk.get(f"{URL}/model-1/curve?start={start}")).json()
        steps += [(line["stage"], line["step"]) for line in found["lines"]]
        start, answers = found["next"], answers + 1
        if not found["more"]:
            break
    assert steps == [(line["stage"], line["step"]) for line in LINES]
    assert answers > 2


async def test_what_is_no_number_and_what_is_torn_breaks_nothing(house: House) -> None:
    folder = put_unfinished(house.data, "model-1")
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps({"stage": "answer", "step": 20, "loss": math.nan}) + "\n")
        file.write('[1]\n{"stage": "answer"}\nno json\n{"stage": "answer", "step": 30, "lo')
    (folder / EVENTS / NOW).write_text('{"torn')
    desk = await boss(house)
    with being_made(folder):
        found = (await desk.get(f"{URL}/model-1/curve")).json()
    assert len(found["lines"]) == len(LINES) + 1
    assert (found["lines"][-1]["step"], found["lines"][-1]["loss"], found["now"]) == (20, None, None)
    (folder / METRICS).unlink()
    assert (await desk.get(f"{URL}/model-1/curve")).json()["lines"] == []


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2f..%2fcasebook", ".lock", "current", "no-such", "x" * 200]
)
async def test_a_name_leads_nowhere_but_to_a_training(house: House, name: str) -> None:
    put_complete(house.data, "model-1")
    desk = await boss(house)
    for path in (f"{URL}/{name}", f"{URL}/{name}/curve"):
        answer = await desk.get(path)
        assert answer.status_code in {404, 422}
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.get(f"{URL}/model-1/curve?start=-1")).status_code == 422
