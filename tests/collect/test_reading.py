import bz2
import gzip
import io
import lzma
import tarfile

import pytest

from psyllm.collect.reading import content_hash, decode, decode_head, head, is_tar, members, unpacked
from psyllm.core.errors import MalformedInput, MissingFile, UnknownFormat, WrongEncoding

TEXT = "我最近总是睡不着，心里很难过。\n" * 4000


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_packings_are_told_by_their_first_bytes(tmp_path, pack):
    path = tmp_path / "name.says.nothing"
    path.write_bytes(pack(TEXT.encode()))
    with unpacked(path) as stream:
        assert stream.read().decode() == TEXT


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "gzip"), (lzma.compress, "xz"), (bz2.compress, "bzip2")]
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
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * 16 + whole[len(whole) // 2 + 16 :])
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


def test_links_and_devices_of_a_tar_are_never_followed(tmp_path):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    path = tmp_path / "a.tar"
    path.write_bytes(raw.getvalue())
    assert list(members(path)) == []


def test_a_tar_that_breaks_off_is_malformed(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of({"a.txt": b"1" * 5000})[:2048])
    with pytest.raises(MalformedInput, match="the tar is not complete"):
        list(members(path))


def test_a_folder_gives_its_files_by_name_without_links(tmp_path):
    for name in ("b.txt", "a/2.txt", "a/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, "utf-8")
    (tmp_path / "c.txt").symlink_to(tmp_path / "b.txt")
    assert [member.name for member in members(tmp_path)] == ["a/1.txt", "a/2.txt", "b.txt"]


@pytest.mark.parametrize(
    ("encoding", "name"), [("gbk", "GBK"), ("gb18030", "GBK"), ("utf-16", "UTF-16"), ("big5", "BIG5")]
)
def test_other_encodings_are_named(tmp_path, encoding, name):
    raw = (
        "我最近总是睡不着，心里很难过。".encode(encoding)
        if encoding != "big5"
        else "時間過得很快，覺得很累。喔嗨裡".encode("big5")
    )
    with pytest.raises(WrongEncoding) as caught:
        decode(raw, tmp_path)
    if encoding != "big5":  # most Big5 text is valid GBK too
        assert f"is {name}, not UTF-8" in caught.value.message
        assert f"iconv -f {name} -t UTF-8" in caught.value.next_step


def test_a_head_may_end_inside_a_character(tmp_path):
    raw = ("x" + TEXT).encode()[: 1 << 16]
    assert decode_head(raw, tmp_path).startswith("x我最近")


@pytest.mark.parametrize("raw", [b"PK\x03\x04", b"PAR1....", b"\x28\xb5\x2f\xfd", b"abc\x00\x01"])
def test_what_is_no_text_is_an_unknown_format(tmp_path, raw):
    with pytest.raises(UnknownFormat):
        decode_head(raw, tmp_path)


def test_the_hash_of_a_folder_changes_with_names_and_bytes(tmp_path):
    (tmp_path / "a").write_text("1", "utf-8")
    first = content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = content_hash(tmp_path)
    (tmp_path / "b").write_text("2", "utf-8")
    assert len({first, second, content_hash(tmp_path)}) == 3


def test_what_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingFile):
        content_hash(tmp_path / "no")


def test_damaged_utf8_that_happens_to_be_valid_gbk_is_not_called_gbk(tmp_path):
    raw = "天是过天我一心近心".encode()
    damaged = raw[:20] + raw[21:]
    damaged.decode("gbk")
    with pytest.raises(WrongEncoding, match="is not UTF-8: byte 18 of it is damaged"):
        decode(damaged, tmp_path)
