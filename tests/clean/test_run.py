from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from hardship import ends_after_kills, no_space, scarce_disk
from made_up import dialogues, questions, write_array, write_lines
from psyllm.clean.run import run
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import DiskFull, EmptyCorpus, MissingStage
from psyllm.core.records import Answer, Record, read_records, write_records
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Stage, StageRun, current_run, writing


def gather(data, values, name="source", write=write_lines):
    path = write(values, data.parent / f"{name}.input")
    return collect(CollectSettings(path=path, name=name, licence="CC0-1.0"), data)


def kept(data):
    return list(read_records(current_run(data, Stage.CLEANED)))


def dropped(data):
    return pq.read_table(sorted(current_run(data, Stage.CLEANED).glob("dropped-*.parquet"))).to_pylist()


def test_all_sources_and_what_was_given_back_are_read(tmp_path):
    data = tmp_path / "data"
    gather(data, dialogues(3), "one")
    gather(data, questions(4), "two", write_array)
    answer = Answer(text="今晚先别一个人待着。", author="counsellor")
    returned = Record(
        id="feedback:1", kind="question", group="feedback:1", source="feedback", licence="consent",
        title="晚上总是睡不着，应该怎么办呢？", answers=(answer,), consent_id="c1",
    )  # fmt: skip
    with writing(StageRun(data, Stage.FEEDBACK, "casebook", "mark", (), {}), beside=True) as stage_run:
        write_records([returned], stage_run.folder)
        stage_run.finish(counts={"records": 1})
    manifest = run(CleanSettings(), data)
    assert manifest.counts == {"records": 8, "read": 8, "dropped": 0}
    assert [parent.run for parent in manifest.parents] == ["one", "two", "casebook"]
    assert manifest.details["sources"]["feedback"] == {"read": 1, "kept": 1}
    found = kept(data)[-1]
    assert found.topic_score is not None
    assert found.model_copy(update={"topic_score": None}) == returned


def test_every_drop_is_kept_apart_with_its_reason_and_counted(tmp_path):
    data = tmp_path / "data"
    values = dialogues(6)
    values[1]["dialog"] = values[1]["dialog"][:1]
    values[2]["dialog"] = [{"role": "client", "content": "你好，打我电话13812345678。"}]
    longer = [
        *values[0]["dialog"][:-1],
        {"role": "counselor", "content": values[0]["dialog"][-1]["content"] + "好。"},
    ]
    values[4]["dialog"] = values[5]["dialog"] = longer
    gather(data, values)
    manifest = run(CleanSettings(), data)
    assert manifest.drops == {"exact_duplicate": 1, "near_duplicate": 1, "no_counsellor": 2}
    assert manifest.counts == {"records": 2, "read": 6, "dropped": 4}
    assert [record.id for record in kept(data)] == ["source:3", "source:4"]
    assert {row["id"]: (row["reason"], row["duplicate_of"]) for row in dropped(data)} == {
        "source:1": ("no_counsellor", ""),
        "source:2": ("no_counsellor", ""),
        "source:0": ("near_duplicate", "source:4"),
        "source:5": ("exact_duplicate", "source:4"),
    }
    assert all("13812345678" not in turn["text"] for row in dropped(data) for turn in row["turns"])
    assert manifest.details["personal_data_masked"] == {"phone": 1}
    assert {path.name for path in current_run(data, Stage.CLEANED).iterdir()} == {
        "part-00000.parquet",
        "dropped-00000.parquet",
        "manifest.json",
    }


def test_a_crisis_stays_for_a_longer_calm_duplicate_and_one_that_goes_is_counted(tmp_path):
    data = tmp_path / "data"
    calm = dialogues(1)[0]
    told = "最近这段时间我总是睡不着，白天上班也没有精神，吃不下饭，和家里人也说不上几句话，"
    calm["dialog"][0]["content"] = told + "不知道应该怎么办才好呢"
    crisis = {"dialog": [{"role": "client", "content": told + "我想自杀"}, *calm["dialog"][1:]]}
    gather(data, [calm, crisis, crisis])
    manifest = run(CleanSettings(), data)
    [record] = kept(data)
    assert "level:risk" in record.flags
    assert manifest.drops == {"exact_duplicate": 1, "near_duplicate": 1}
    assert manifest.details["levels"] == {"risk": 1}
    assert manifest.details["flags_of_dropped"] == {"exact_duplicate/level:risk": 1}


def test_what_changed_is_counted_by_step(tmp_path):
    data = tmp_path / "data"
    values = dialogues(3)
    values[0]["dialog"][1]["content"] += "欢迎关注我！"
    values[1]["dialog"][2]["role"] = "counselor"
    gather(data, values)
    mended = run(CleanSettings(), data).details["mended"]
    assert (mended["take_out_site_lines"], mended["merge_turns_of_one_role"]) == (1, 1)


def test_a_second_run_is_up_to_date_until_something_changes(tmp_path):
    data = tmp_path / "data"
    gather(data, dialogues(3), "one")
    first = run(CleanSettings(), data)
    assert run(CleanSettings(), data) == first
    other = run(CleanSettings(fewest_turns=4), data)
    gather(data, dialogues(2, seed=9), "two")
    third = run(CleanSettings(), data)
    assert len({first.run, other.run, third.run}) == 3
    assert run(CleanSettings(), data) == third


def test_nothing_collected_names_the_command(tmp_path):
    with pytest.raises(MissingStage, match="nothing was collected in") as caught:
        run(CleanSettings(), tmp_path)
    assert caught.value.next_step.startswith(
        f"run: psyllm collect starter --data {tmp_path}; or: psyllm collect import PATH"
    )


def test_an_empty_corpus_names_the_reasons_and_a_setting(tmp_path):
    data = tmp_path / "data"
    gather(data, questions(5), write=write_array)
    with pytest.raises(EmptyCorpus, match=r"cleaning left none of 5 records \(no_answer 5\)") as caught:
        run(CleanSettings(shortest_answer_chars=5000), data)
    assert "--set clean.shortest_answer_chars=20" in caught.value.next_step
    assert current_run(data, Stage.CLEANED) is None


def test_a_full_disk_is_said_and_the_earlier_run_stays(tmp_path):
    with scarce_disk(tmp_path / "disk") as data:
        gather_from = write_lines(dialogues(200), tmp_path / "input")
        collect(CollectSettings(path=gather_from, name="source", licence="CC0-1.0"), data)
        first = run(CleanSettings(), data)
        with (
            no_space(data, left_bytes=32768),
            pytest.raises(DiskFull, match=r"no space left on the disk that holds .*2_cleaned"),
        ):
            run(CleanSettings(fewest_turns=3), data)
        assert current_run(data, Stage.CLEANED).name == first.run
        assert len(kept(data)) == 200
        assert [path.name for path in (data / "2_cleaned").iterdir() if path.is_dir()] == [first.run]
        assert run(CleanSettings(fewest_turns=3), data).counts["records"] == 200


def test_a_kill_at_any_moment_changes_nothing_of_the_result(tmp_path):
    data = tmp_path / "data"
    gather(data, dialogues(400))
    whole, ends = ends_after_kills("clean", CleanSettings(), data)
    assert set(ends) == {whole}


@pytest.mark.outside_data
def test_the_known_faults_of_outside_corpora_are_mended_or_dropped(tmp_path, outside_data):
    for name, path, limit in (
        ("smilechat", "smilechat/train.jsonl.xz", 500),
        ("cpsycoun", "cpsycoun/CPsyCounD.tar.xz", 300),
        ("psywiki", "psywiki/docs.tar.xz", 60),
    ):
        collect(CollectSettings(path=outside_data / path, name=name, licence="x", limit=limit), tmp_path)
    manifest = run(CleanSettings(), tmp_path)
    assert manifest.counts["records"] > 0.97 * manifest.counts["read"]
    assert manifest.drops["no_counsellor"] == 1
    assert manifest.details["mended"]["merge_turns_of_one_role"] > 10
    for record in kept(tmp_path):
        roles = [turn.role for turn in record.turns]
        assert all(left != right for left, right in pairwise(roles))
        assert not roles or {"visitor", "counsellor"} <= set(roles)
