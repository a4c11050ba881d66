import datetime as dt
import gzip
import lzma
import tarfile

import pytest

from hardship import finished, killed, moments, no_space, scarce_disk
from made_up import dialogues, questions, write_array, write_lines
from psyllm.collect.run import run
from psyllm.collect.source import Source
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import (
    BadSetting,
    DiskFull,
    EmptyCorpus,
    LostRecords,
    MalformedInput,
    MissingFile,
    SourceExists,
    UnknownFormat,
    WrongEncoding,
)
from psyllm.core.records import read_records
from psyllm.core.reviews import Review, append_reviews, reviews_path
from psyllm.core.stages import Stage, complete_runs, file_hash


def settings(path, **others):
    return CollectSettings(path=path, name="source", licence="CC0-1.0", **others)


def collected(data, name="source"):
    return list(read_records(data / "1_collected" / name))


def test_without_a_path_the_starter_corpus_is_imported_with_its_own_licence(tmp_path):
    manifest = run(CollectSettings(), tmp_path)
    records = list(read_records(tmp_path / "1_collected" / "starter"))
    assert manifest.counts["records"] == len(records) > 50
    assert all(record.may_show and record.licence == "CC-BY-4.0" for record in records)


def test_reviews_of_the_data_folder_reach_the_starter_corpus(tmp_path):
    first = run(CollectSettings(replace=True), tmp_path)
    written = collected(tmp_path, "starter")
    said = {"reviewer": "王医生", "licence": "测试-1", "date": dt.date(2026, 11, 30)}
    decisions = [(written[0], "reject"), (written[1], "accept")]
    append_reviews(
        reviews_path(tmp_path),
        [Review(key=one.id, words=one.content_hash, decision=what, **said) for one, what in decisions],
    )
    second = run(CollectSettings(replace=True), tmp_path)
    assert second.counts["records"] == first.counts["records"] - 1
    assert second.drops == {"rejected_in_review": 1}
    assert [one.id for one in collected(tmp_path, "starter") if one.reviewed_by] == [written[1].id]
    assert run(CollectSettings(replace=True), tmp_path) == second


def test_every_record_says_where_it_comes_from(tmp_path):
    path = write_lines(dialogues(3), tmp_path / "a")
    run(settings(path, may_train=False, may_show=True), tmp_path)
    for number, record in enumerate(collected(tmp_path)):
        assert (record.id, record.group) == (f"source:{number}", f"source:{number}")
        assert (record.source, record.licence) == ("source", "CC0-1.0")
        assert not record.may_train
        assert record.may_show


def test_compressed_and_plain_files_give_the_same_records(tmp_path):
    path = write_lines(dialogues(20), tmp_path / "plain")
    packed = {"gz": gzip.compress(path.read_bytes()), "xz": lzma.compress(path.read_bytes())}
    hashes = {run(settings(path), tmp_path / "data").content_hash}
    for name, raw in packed.items():
        packed_path = tmp_path / f"no-suffix-{name}"
        packed_path.write_bytes(raw)
        hashes.add(run(settings(packed_path), tmp_path / f"data-{name}").content_hash)
    assert len(hashes) == 1


def test_a_second_import_of_the_same_is_up_to_date(tmp_path):
    path = write_lines(dialogues(5), tmp_path / "a")
    first = run(settings(path), tmp_path)
    moved = path.rename(tmp_path / "elsewhere")
    assert run(settings(moved), tmp_path) == first


def test_a_run_that_lost_a_file_is_made_again(tmp_path):
    path = write_lines(dialogues(5), tmp_path / "a")
    first = run(settings(path), tmp_path)
    (tmp_path / "1_collected" / "source" / "part-00000.parquet").unlink()
    assert run(settings(path), tmp_path).content_hash == first.content_hash
    assert len(collected(tmp_path)) == 5


def test_other_content_under_the_same_name_is_refused_until_replace_is_set(tmp_path):
    run(settings(write_lines(dialogues(5), tmp_path / "a")), tmp_path)
    other = write_lines(dialogues(6, seed=2), tmp_path / "b")
    with pytest.raises(SourceExists, match=r"holds other content already \(5 records\)") as caught:
        run(settings(other), tmp_path)
    assert "--replace" in caught.value.next_step
    assert len(collected(tmp_path)) == 5
    run(settings(other, replace=True), tmp_path)
    assert len(collected(tmp_path)) == 6


def test_the_same_content_under_another_licence_is_refused(tmp_path):
    path = write_lines(dialogues(5), tmp_path / "a")
    run(settings(path), tmp_path)
    with pytest.raises(SourceExists, match="the same content with another licence"):
        run(CollectSettings(path=path, name="source", licence="MIT"), tmp_path)


def test_a_limit_imports_the_first_records_only(tmp_path):
    path = write_lines(dialogues(9), tmp_path / "a")
    assert run(settings(path, limit=4), tmp_path).counts == {"records": 4, "read": 4}
    assert [record.id for record in collected(tmp_path)] == [f"source:{n}" for n in range(4)]


def test_a_missing_file_is_said_with_the_path(tmp_path):
    with pytest.raises(MissingFile, match=r"there is no file or folder .*nowhere\.jsonl") as caught:
        run(settings(tmp_path / "nowhere.jsonl"), tmp_path)
    assert caught.value.next_step == f"check the path: ls {tmp_path}"


def test_malformed_lines_are_named_by_number_and_never_by_text(tmp_path):
    path = write_lines(dialogues(3), tmp_path / "a.jsonl")
    path.write_text(path.read_text("utf-8") + '{"id": "4", "dialog": [秘密\n', "utf-8")
    with pytest.raises(MalformedInput, match=r"line 4 is not valid JSON.*nothing was imported") as caught:
        run(settings(path), tmp_path)
    assert "秘密" not in str(caught.value) + caught.value.next_step
    assert caught.value.__cause__ is None
    assert not complete_runs(tmp_path, Stage.COLLECTED)


def test_a_wrong_field_is_named_and_its_text_is_not(tmp_path):
    broken = dialogues(2)
    broken[1]["dialog"][3]["role"] = "秘密"
    with pytest.raises(MalformedInput, match=r"line 2: dialog\.3\.role: input should be") as caught:
        run(settings(write_lines(broken, tmp_path / "a")), tmp_path)
    assert "秘密" not in str(caught.value)


def test_a_truncated_xz_says_where_it_breaks_off_and_that_nothing_was_imported(tmp_path):
    path = tmp_path / "a.jsonl.xz"
    whole = lzma.compress(write_lines(dialogues(2000), tmp_path / "plain").read_bytes(), preset=0)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MalformedInput) as caught:
        run(settings(path), tmp_path)
    assert "breaks off: its xz data can be read for " in caught.value.message
    assert caught.value.message.endswith(" bytes only; nothing was imported")
    assert caught.value.next_step == f"check it with: xz -t {path}; then fetch it again"
    assert not complete_runs(tmp_path, Stage.COLLECTED)
    assert not list((tmp_path / "1_collected").glob("*source*"))


def test_gbk_is_read_and_the_encoding_is_kept_in_the_manifest(tmp_path):
    utf8 = write_lines(dialogues(9), tmp_path / "utf8.jsonl")
    gbk = tmp_path / "gbk.jsonl"
    gbk.write_bytes(utf8.read_bytes().decode().encode("gbk"))
    one, two = (run(settings(path), tmp_path / path.stem) for path in (utf8, gbk))
    assert one.content_hash == two.content_hash
    assert (one.details["encodings"], two.details["encodings"]) == ({"UTF-8": 1}, {"GB18030": 1})


def test_an_encoding_that_nobody_knows_is_a_bad_setting(tmp_path):
    with pytest.raises(BadSetting, match="there is no encoding 'klingon'"):
        run(settings(write_lines(dialogues(1), tmp_path / "a"), encoding="klingon"), tmp_path)


def test_damage_refuses_the_import_or_leaves_the_record_out(tmp_path):
    path = write_lines(dialogues(9), tmp_path / "a")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace("。".encode(), b"\xe3\x80", 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(WrongEncoding, match=r"\(line 5\) is not: it is damaged.*nothing was imported"):
        run(settings(path), tmp_path)
    manifest = run(settings(path, damaged_text="leave_out"), tmp_path)
    assert manifest.counts == {"records": 8, "read": 9}
    assert manifest.drops == {"damaged_text": 1}


def test_what_is_read_but_not_accounted_for_stops_the_import(tmp_path, monkeypatch):
    monkeypatch.setattr(Source, "leave_out", lambda *_: None)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("来访者：你好。\n心理咨询师：你好。\n", "utf-8")
    (folder / "b.txt").write_text("just notes", "utf-8")
    with pytest.raises(LostRecords, match="2 were read, but 1 are accounted for"):
        run(settings(folder), tmp_path)
    assert not complete_runs(tmp_path, Stage.COLLECTED)


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    path = write_lines([{"conversation": [], "id": 1}], tmp_path / "a")
    with pytest.raises(
        UnknownFormat, match="has the fields conversation, id, which fits no importer"
    ) as caught:
        run(settings(path), tmp_path)
    assert "PsyQA" in caught.value.next_step


@pytest.mark.parametrize("content", ["", " \n", "[]", "[ ]\n"])
def test_a_source_without_text_is_an_empty_corpus(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content, "utf-8")
    with pytest.raises(EmptyCorpus, match="holds no text") as caught:
        run(settings(path), tmp_path)
    assert "import again" in caught.value.next_step


def test_a_folder_is_imported_and_what_is_no_dialogue_is_counted(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3):
        (folder / f"case_{number}.txt").write_text(f"来访者：你好{number}。\n\n心理咨询师：你好。\n", "utf-8")
    (folder / "notes").write_text("just notes", "utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x00\x00")
    (folder / ".hidden").write_text("来访者：不\n心理咨询师：不\n", "utf-8")
    manifest = run(settings(folder), tmp_path)
    assert manifest.counts == {"records": 3, "read": 5}
    assert manifest.drops == {"file_is_no_dialogue": 1, "file_is_no_text": 1}
    assert [record.id for record in collected(tmp_path)] == [f"source:case_{n}" for n in range(3)]


def test_a_name_in_a_file_s_name_reaches_neither_records_nor_the_manifest(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("王小明-13800138000.txt", "0001.txt"):
        (folder / name).write_text("来访者：你好。\n心理咨询师：你好。\n", "utf-8")
    manifest = run(settings(folder), tmp_path)
    assert manifest.details["keys_hashed"] == 1
    records = collected(tmp_path)
    assert "source:0001" in {record.id for record in records}
    written = manifest.model_dump_json() + "".join(record.model_dump_json() for record in records)
    assert not any(told in written for told in ("王小明", "13800138000"))


def test_a_full_disk_is_said_and_the_earlier_import_stays(tmp_path):
    small = write_lines(dialogues(5), tmp_path / "small")
    large = write_lines(dialogues(400, seed=2), tmp_path / "large")
    with scarce_disk(tmp_path / "disk") as data:
        before = run(settings(small), data)
        with (
            no_space(data, left_bytes=32768),
            pytest.raises(DiskFull, match=r"no space left on the disk that holds .*1_collected") as caught,
        ):
            run(settings(large, replace=True), data)
        assert "--data" in caught.value.next_step
        assert [manifest.content_hash for manifest in complete_runs(data, Stage.COLLECTED)] == [
            before.content_hash
        ]
        assert len(collected(data)) == 5
        assert run(settings(large, replace=True), data).counts["records"] == 400


def test_a_kill_leaves_the_old_or_the_new_import_and_a_second_run_ends_the_same(tmp_path):
    old = settings(write_lines(dialogues(50, seed=5), tmp_path / "old"))
    new = settings(write_array(questions(9000), tmp_path / "new"), replace=True)
    whole = finished("collect", new, tmp_path / "whole")
    before = run(old, tmp_path / "data").content_hash
    ends = []
    for after_s in moments(whole.seconds):
        ends.append(killed("collect", new, tmp_path / "data", after_s).content_hash)
        (manifest,) = complete_runs(tmp_path / "data", Stage.COLLECTED)
        assert manifest.content_hash in {before, whole.content_hash}
        folder = tmp_path / "data" / "1_collected" / "source"
        assert {path.name for path in folder.glob("part-*")} == set(manifest.files)
        assert all(file_hash(folder / name) == value for name, value in manifest.files.items())
        run(old.model_copy(update={"replace": True}), tmp_path / "data")
    assert None in ends, "every run ended before it could be killed"
    assert finished("collect", new, tmp_path / "data").content_hash == whole.content_hash


@pytest.mark.outside_data
def test_the_outside_corpora_are_recognised_and_read(tmp_path, outside_data):
    sources = {
        "smilechat/train.jsonl.xz": ("dialogue", 200),
        "cpsycoun/CPsyCounD.tar.xz": ("dialogue", 200),
        "psywiki/docs.tar.xz": ("document", 100),
    }
    for number, (name, (kind, limit)) in enumerate(sources.items()):
        data = tmp_path / str(number)
        run(settings(outside_data / name, limit=limit), data)
        records = collected(data)
        assert len(records) == limit
        assert {record.kind for record in records} == {kind}
        assert all(any(record.texts()) for record in records)


@pytest.mark.outside_data
def test_a_tar_and_the_folder_inside_it_hold_the_same(tmp_path, outside_data):
    with tarfile.open(outside_data / "psywiki" / "docs.tar.xz") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    run(settings(outside_data / "psywiki" / "docs.tar.xz"), tmp_path / "a")
    run(settings(tmp_path / "unpacked"), tmp_path / "b")
    assert {r.id: r.content_hash for r in collected(tmp_path / "a")} == {
        r.id: r.content_hash for r in collected(tmp_path / "b")
    }
