import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import pyarrow as pa
import pytest

from psyllm.collect.reading import content_hash, files, head, heads, is_archive, is_tar, members, unpacked
from psyllm.core.errors import MalformedInput, MissingFile


def zstd(raw):
    return pa.compress(raw, codec="zstd", asbytes=True)


TEXT = "我最近总是睡不着，心里很难过。\n" * 4000


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress, zstd])
def test_packings_are_told_by_their_first_bytes(tmp_path, pack):
    path = tmp_path / "name.says.nothing"
    path.write_bytes(pack(TEXT.encode()))
    with unpacked(path) as stream:
        assert stream.read().decode() == TEXT


@pytest.mark.parametrize(
    ("pack", "name"),
    [(gzip.compress, "gzip"), (lzma.compress, "xz"), (bz2.compress, "bzip2"), (zstd, "zstd")],
)
def test_a_packing_that_breaks_off_or_is_damaged_is_malformed(tmp_path, pack, name):
    whole = pack(TEXT.encode())
    path = tmp_path / "a"
    path.write_bytes(whole[:-20])
    with pytest.raises(
        MalformedInput, match=f"breaks off: its {name} data can be read for [0-9,]+ bytes only"
    ) as caught:
        unpacked(path).read()
    assert f"{name} -t {path}" in caught.value.next_step
    damaged = b"\xff" * 16 + b"\x00" * 16
    path.write_bytes(whole[: len(whole) // 2] + damaged + whole[len(whole) // 2 + len(damaged) :])
    with pytest.raises(MalformedInput, match=f"(is damaged|breaks off): its {name} data"):
        unpacked(path).read()


def tar_of(files, mode="w"):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_with_any_packing_gives_its_files_without_hidden_ones(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(tar_of({"./a.txt": b"1", "b/.git/x": b"2", "b/c.txt": b"3", "._a.txt": b"4"}, mode))
    assert is_tar(head(path))
    assert list(members(path)) == [("a.txt", b"1"), ("b/c.txt", b"3")]


def test_devices_of_a_tar_are_never_opened(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode="w") as tar:
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"device-{kind!r}")
            entry.type = kind
            tar.addfile(entry)
    assert list(members(path)) == []


def test_a_tar_that_breaks_off_is_malformed(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of({"a.txt": b"1" * 5000})[:2048])
    with pytest.raises(MalformedInput, match="the tar is not complete"):
        list(members(path))


def damaged_tars():
    whole = tar_of({"a.txt": b"1", "b.txt": b"2", "c.txt": b"3"})  # a header and a block each, then the end
    flipped = bytearray(whole)
    flipped[2048 + 150] ^= 1
    zeroed = whole[:1024] + bytes(1024) + whole[2048:]
    return {
        "is damaged at byte 2,048": [bytes(flipped)],
        "is damaged at byte 1,024": [zeroed],
        "is damaged at byte 3,072": [whole + whole],  # cat a.tar b.tar
        "breaks off at byte 2,048": [whole[:2048], whole[:2300]],
        "breaks off at byte 3,072": [whole[:3072], whole[: 3072 + 512]],
    }


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("found", "raw"), [(found, raw) for found, raws in damaged_tars().items() for raw in raws]
)
def test_a_tar_damaged_or_cut_between_files_is_never_taken_for_a_shorter_one(tmp_path, pack, found, raw):
    path = tmp_path / "a.tar"
    path.write_bytes(pack(raw))
    for read in (members, files, lambda path: heads(path, 10)):
        with pytest.raises(MalformedInput, match=f"{found}: .*the tar is not complete"):
            list(read(path))


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_long_name_whose_file_is_missing_is_damage(tmp_path, layout):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=layout) as tar:
        for name in ("a.txt", "长" * 90 + ".txt"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    path = tmp_path / "a.tar"
    path.write_bytes(raw.getvalue())
    assert [member.name for member in members(path)] == ["a.txt", "长" * 90 + ".txt"]
    last_header = max(
        place for place in range(0, len(raw.getvalue()), 512) if any(raw.getvalue()[place : place + 512])
    )
    path.write_bytes(raw.getvalue()[:last_header] + bytes(4096))
    with pytest.raises(MalformedInput, match="is damaged at byte 512:"):
        list(members(path))


def laid(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, "utf-8")
    return folder


def test_a_folder_gives_its_files_by_name_and_each_once(tmp_path):
    laid(tmp_path, "b.txt", "a/2.txt", "a/1.txt")
    (tmp_path / "0.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "0").symlink_to(tmp_path / "a")
    assert [member.name for member in members(tmp_path)] == ["a/1.txt", "a/2.txt", "b.txt"]


def test_links_to_files_and_folders_elsewhere_are_followed(tmp_path):
    laid(tmp_path, "blobs/1", "other/2", "folder/a.txt", "folder/.blobs/3")
    folder = tmp_path / "folder"
    (folder / "b.txt").symlink_to("../blobs/1")
    (folder / "b_again.txt").symlink_to("../blobs/1")
    (folder / "c").symlink_to(tmp_path / "other")
    (folder / "d.txt").symlink_to(".blobs/3")
    found = [(member.name, member.raw) for member in members(folder)]
    assert found == [("a.txt", b"folder/a.txt"), ("b.txt", b"blobs/1"), ("c/2", b"other/2"), ("d.txt", b"folder/.blobs/3")]  # fmt: skip
    first = content_hash(folder)
    (tmp_path / "blobs" / "1").write_text("more", "utf-8")
    assert content_hash(folder) != first


def test_links_in_a_circle_and_upwards_bring_nothing_twice(tmp_path):
    laid(tmp_path, "outside", "folder/a/1", "other/2")
    folder = tmp_path / "folder"
    (folder / "a" / "up").symlink_to(folder)
    (folder / "further").symlink_to(tmp_path)
    (folder / "other").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(folder)
    assert [member.name for member in members(folder)] == ["a/1", "other/2"]


@pytest.mark.parametrize("target", ["gone", "link", "/dev/null"])
def test_a_link_that_leads_to_no_file_is_said(tmp_path, target):
    laid(tmp_path, "a")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(MalformedInput, match="the link link leads to no file"):
        list(members(tmp_path))


def test_the_hash_of_a_folder_changes_with_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1", "utf-8")
    first = content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = content_hash(tmp_path)
    (tmp_path / "b").write_text("2", "utf-8")
    assert len({first, second, content_hash(tmp_path)}) == 3


def test_names_in_gbk_are_read_as_such_in_a_folder_and_a_tar(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    place = folder / os.fsdecode("来访.txt".encode("gb18030"))
    place.write_bytes(b"1")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(place, place.name)
    for path in (folder, tmp_path / "a.tar"):
        assert list(members(path)) == [("来访.txt", b"1")]
        assert [file.name for file in files(path)] == ["来访.txt"]
        assert len(content_hash(path)) == 64


def test_a_pipe_is_told_and_nothing_waits_for_it(tmp_path):
    laid(tmp_path, "folder/a.txt", "folder/b.txt")
    os.mkfifo(tmp_path / "folder" / "c.txt")
    with pytest.raises(MalformedInput, match="holds a pipe, socket or device"):
        list(members(tmp_path / "folder"))
    with pytest.raises(MalformedInput, match="is a pipe or device, no file"):
        content_hash(tmp_path / "folder" / "c.txt")


def tar_with_links(path, *links):
    with tarfile.open(path, "w") as tar:
        for name in ("a/1.txt", ".blobs/2.txt"):
            tar.addfile(tarfile.TarInfo(name))
        for name, target, kind in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    return path


def test_links_of_a_tar_to_its_own_files_bring_nothing_twice(tmp_path):
    hard, soft = tarfile.LNKTYPE, tarfile.SYMTYPE
    path = tar_with_links(
        tmp_path / "a", ("b", "a/1.txt", hard), ("a/c", "1.txt", soft), ("d", "a", soft), ("e", "d", soft)
    )
    assert [member.name for member in members(path)] == ["a/1.txt"]


@pytest.mark.parametrize(
    "link",
    [
        ("b", "gone.txt", tarfile.SYMTYPE),
        ("b", "../a/1.txt", tarfile.SYMTYPE),
        ("a/b", "a/1.txt", tarfile.SYMTYPE),
        ("b", ".blobs/2.txt", tarfile.LNKTYPE),
        ("b", "/etc/hostname", tarfile.SYMTYPE),
    ],
)
def test_a_link_of_a_tar_to_what_is_not_read_is_told(tmp_path, link):
    path = tar_with_links(tmp_path / "a", link)
    for read in (members, files, lambda path: heads(path, 10)):
        with pytest.raises(MalformedInput, match="a link that leads to none of its files"):
            list(read(path))


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_damaged_in_any_packing_is_malformed(tmp_path, packing):
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a.txt", TEXT * 3 + os.urandom(2000).hex())
    whole = path.read_bytes()
    for place in range(60, len(whole) - 200, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with pytest.raises(MalformedInput, match="the zip is not complete"):
            list(members(path))


def zip_of(files, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_gives_its_files_without_hidden_ones(tmp_path):
    path = zip_of({"a.txt": b"1", "b/c.txt": b"3", "__MACOSX/a": b"4", ".x": b"5"}, tmp_path / "a")
    assert is_archive(path)
    assert list(members(path)) == [("a.txt", b"1"), ("b/c.txt", b"3")]
    assert [(file.name, file.path.read_bytes()) for file in files(path)] == [
        ("a.txt", b"1"),
        ("b/c.txt", b"3"),
    ]


def test_a_zip_that_breaks_off_or_is_damaged_is_malformed(tmp_path):
    path = zip_of({"a.txt": TEXT.encode()}, tmp_path / "a.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(MalformedInput, match="the zip is not complete") as caught:
        list(members(path))
    assert f"unzip -t {path}" in caught.value.next_step
    path.write_bytes(whole[:60] + bytes(20) + whole[80:])
    for read in (members, files):
        with pytest.raises(MalformedInput, match="the zip is not complete"):
            list(read(path))


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    path = zip_of({"a.txt": bytes(100_000_000)}, tmp_path / "a.zip")
    with pytest.raises(MalformedInput, match="looks like a zip bomb"):
        list(members(path))


def test_an_encrypted_zip_is_said_to_be_so(tmp_path):
    path = zip_of({"a.txt": b"1"}, tmp_path / "a.zip")
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(MalformedInput, match="is encrypted"):
        list(members(path))


def test_a_zip_of_an_unknown_packing_is_no_damaged_one(tmp_path):
    path = zip_of({"a.txt": b"1"}, tmp_path / "a.zip")
    raw = bytearray(path.read_bytes())
    for place in (8, raw.index(b"PK\x01\x02") + 10):
        raw[place : place + 2] = (97).to_bytes(2, "little")  # WavPack, by the zip's specification
    path.write_bytes(raw)
    with pytest.raises(MalformedInput, match="packed in a way that is not known here") as caught:
        list(members(path))
    assert f"7z x {path}" in caught.value.next_step


def test_names_that_chinese_windows_wrote_are_read(tmp_path):
    path = zip_of({"xxxx.txt": b"1"}, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes().replace(b"xxxx.txt", "心理".encode("gbk") + b".txt"))
    assert [member.name for member in members(path)] == ["心理.txt"]


def test_a_folder_that_may_not_be_read_is_never_passed_over(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.txt").write_text("1", "utf-8")
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # rights do not bind root, who runs the tests in CI
    with pytest.raises(PermissionError):
        list(members(tmp_path))


def test_what_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingFile):
        content_hash(tmp_path / "no")
