import io

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect import encodings
from psyllm.collect.encodings import Decoding, Utf8Stream, decode, detect, looks_binary
from psyllm.core.errors import UnknownFormat, WrongEncoding
from psyllm.core.starter import starter_records

TEXT = "我最近总是睡不着，心里很难过，不知道怎么办。\n你好，可以说说发生了什么事吗？\n" * 30
TRADITIONAL = "我最近總是睡不著，心裡很難過，不知道怎麼辦。\n你好，可以說說發生了什麼事嗎？\n" * 30


def read(raw, **rules):
    decoding = Decoding(**rules)
    stream = io.BufferedReader(Utf8Stream(io.BufferedReader(io.BytesIO(raw)), "THE FILE", decoding))
    return stream.read().decode(), dict(decoding.found)


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (TEXT, "utf-8", "UTF-8"),
        (TEXT, "utf-8-sig", "UTF-8"),
        (TEXT, "gbk", "GB18030"),
        (TEXT + "𠮷㐂" * 9, "gb18030", "GB18030"),
        (TRADITIONAL, "gbk", "GB18030"),
        (TRADITIONAL, "big5", "Big5"),
        (TRADITIONAL + "佢哋嘅", "big5hkscs", "Big5-HKSCS"),
        (TEXT, "utf-16-le", "UTF-16LE"),
        (TEXT, "utf-16-be", "UTF-16BE"),
        (TEXT, "utf-16", "UTF-16LE"),
        (TEXT, "utf-32", "UTF-32LE"),
        ('{"a": 1}\n' * 9, "utf-16-le", "UTF-16LE"),
        ("plain ASCII", "ascii", "UTF-8"),
        ("", "ascii", "UTF-8"),
    ],
)
def test_an_encoding_is_found_and_the_text_is_the_same(text, codec, name):
    assert read(text.encode(codec)) == (text, {name: 1})
    assert decode(text.encode(codec), "THE FILE", Decoding()) == text


def test_text_that_is_ascii_for_a_megabyte_and_then_gbk_is_read():
    text = "x" * 1_100_001 + "\n" + TEXT
    assert read(text.encode("gbk")) == (text, {"GB18030": 1})


@given(block=st.integers(3, 99), codec=st.sampled_from(["gb18030", "utf-16-le", "utf-8"]))
def test_blocks_of_any_size_give_the_same_text(block, codec):
    before = encodings.BLOCK_BYTES
    encodings.BLOCK_BYTES = block
    try:
        assert read(TEXT.encode(codec))[0] == TEXT
    finally:
        encodings.BLOCK_BYTES = before


def test_the_everyday_characters_are_everyday_ones():
    text = "".join("".join(record.texts()) for record in starter_records())
    han = [character for character in text if "\u4e00" <= character <= "\u9fff"]
    assert sum(character in encodings.EVERYDAY for character in han) / len(han) > 0.5
    traditional = opencc.OpenCC("s2tw").convert(text)
    assert sum(character in encodings.EVERYDAY for character in traditional) / len(han) > 0.45


@pytest.mark.parametrize("codec", ["gbk", "gb18030", "utf-16-le", "utf-16-be"])
def test_every_short_piece_of_the_starter_is_found_or_not_told_but_never_wrong(codec):
    name = {"utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE"}.get(codec, "GB18030")
    texts = [text[:40] for record in starter_records() for text in record.texts()]
    found = [detect(text.encode(codec, "ignore"), whole=True) for text in texts if len(text) == 40]
    assert {one.name for one in found if one is not None} == {name}
    assert sum(one is not None for one in found) > 0.7 * len(found)


@pytest.mark.parametrize(
    "raw",
    [
        "안녕하세요 저는 요즘 잠을 잘 수 없어요. 마음이 아파요.".encode("euc-kr"),
        "最近眠れません。心が痛いです。どうすればいいですか。".encode("shift_jis"),
        "最近眠れません。心が痛いです。どうすればいいですか。".encode("euc-jp"),
        "café résumé naïve à la carte ".encode("latin-1") * 9,
        "只有六个字啊".encode("gbk"),
    ],
)
def test_weak_evidence_is_an_error_that_says_what_to_type(raw):
    with pytest.raises(WrongEncoding, match=r"is not UTF-8 .*too little Chinese in it") as caught:
        read(raw)
    assert "iconv -f ENCODING -t UTF-8" in caught.value.next_step
    assert "--set collect.encoding=" in caught.value.next_step


def test_what_is_said_is_believed():
    assert read("只有六个字啊".encode("gbk"), encoding="GBK") == ("只有六个字啊", {"GBK": 1})


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_damage_is_told_by_byte_and_line_or_becomes_a_mark(codec):
    lines = [line.encode(codec) + b"\n" for line in TEXT.splitlines()]
    lines[7] = lines[7][:6] + b"\xff" + lines[7][6:]
    place = sum(map(len, lines[:7])) + 6
    with pytest.raises(WrongEncoding, match=rf"byte {place:,} \(line 8\) is not: it is damaged") as caught:
        read(b"".join(lines))
    assert "collect.damaged_text=leave_out" in caught.value.next_step
    text, _ = read(b"".join(lines), damaged="leave_out")
    assert ["\ufffd" in line for line in text.splitlines()] == [number == 7 for number in range(60)]


def test_damage_far_down_a_large_file_is_told_by_its_place():
    raw = TEXT.encode("gb18030") * 300
    with pytest.raises(WrongEncoding, match=rf"byte {len(raw):,} \(line 18,001\)"):
        read(raw + b"\xff\xff")


@pytest.mark.parametrize("order", [("utf-8", "gbk"), ("gbk", "utf-8")])
def test_two_encodings_in_one_text_are_never_read_as_one(order):
    raw = b"".join(TEXT.encode(codec) for codec in order)
    with pytest.raises(WrongEncoding, match="holds a second encoding"):
        read(raw)
    text, _ = read(raw, damaged="leave_out")
    assert text.startswith(TEXT)
    assert "\ufffd" in text[len(TEXT) :]


def test_damaged_utf8_that_happens_to_be_valid_gbk_is_not_called_gbk():
    raw = "天是过天我一心近心".encode()
    damaged = raw[:20] + raw[21:]
    damaged.decode("gbk")
    with pytest.raises(WrongEncoding, match="is UTF-8, but byte 18"):
        decode(damaged, "THE FILE", Decoding())


def test_what_is_no_text_is_an_unknown_format():
    for raw in (b"abc\x00\x01", b"\x89PNG\r\n\x00\x00" + bytes(range(256))):
        assert looks_binary(raw)
        with pytest.raises((UnknownFormat, WrongEncoding)):
            read(raw)
    assert not looks_binary(TEXT.encode("utf-16-le"))
