"""Which encoding a text has, and its bytes as UTF-8 while they are read.

Comes in: unpacked bytes of a file, and what is said of it (`Decoding`). Goes
out: the same text as valid UTF-8, without a byte order mark; memory holds one
block. What is plain ASCII says nothing, so the encoding is looked for where the
first other byte stands. A guess needs evidence: enough Chinese characters, a
good share of them everyday ones, and no second encoding that fits as well;
otherwise it is an error that says what to type. Damaged bytes are an error
with their place, or, if so set, U+FFFD, by which records are left out later.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from psyllm.core.errors import UnknownFormat, WrongEncoding

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

REPLACEMENT = "\ufffd"
BLOCK_BYTES = 1 << 18
MOST_SAMPLE_BYTES = 1 << 22
# What is evidence. Of our starter corpus's Chinese characters more than a third are everyday ones (a test counts them);
# the same bytes read as another encoding have about 3 %.
FEWEST_HAN = 8
LEAST_EVERYDAY_SHARE = 0.15
LEAST_HAN_SHARE = 0.9
MOST_DAMAGED_SHARE = 0.01
LEAST_LEAD = 2
FEWEST_HAN_OF_UTF8 = 4

# Function words and everyday words of letters and talks, in both scripts; chosen by us.
EVERYDAY = frozenset(
    "的一是不了在人有我他这中来上个大为和国到说时要就出会可也你对生能而子那得于着下自之年过后作里用"
    "道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想"
    "日者意无又什问很最己情吗觉间给让候自真知已您谢难感怎应做常老别工爱比再直听活总把们它被女次话"
    "這來個為國說時要會對過後裡種經麼學現當沒動還進樣開從無問覺間給讓謝難應愛總聽話們"
)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_MARKS = re.compile(r"[\u2010-\u2027\u3000-\u301f\uff01-\uff5e\u2460-\u24ff·—…￥]")
_BAD = re.compile(r"[\ufffd\ue000-\uf8ff\x80-\x9f\x00-\x08\x0e-\x1f]")
# Six Chinese characters or marks in UTF-8 in a row: by chance not met in text of other encodings.
_UTF8_RUN = re.compile(rb"(?:[\xe3-\xe9\xef][\x80-\xbf]{2}){6,}")
_NAMES = {
    "GB18030": "gb18030",
    "Big5": "cp950",
    "Big5-HKSCS": "big5hkscs",
    "UTF-16LE": "utf-16-le",
    "UTF-16BE": "utf-16-be",
}
_MARKED = (
    (codecs.BOM_UTF8, "UTF-8", "utf-8"),
    (codecs.BOM_UTF32_LE, "UTF-32LE", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "UTF-32BE", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "UTF-16LE", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "UTF-16BE", "utf-16-be"),
)

Damaged = Literal["refuse", "leave_out"]


@dataclass
class Decoding:
    """What is said of the encoding ("" for nothing), what becomes of damage; `found` counts texts by encoding."""

    encoding: str = ""
    damaged: Damaged = "refuse"
    found: Counter[str] = field(default_factory=Counter)

    @property
    def leaves_damage_out(self) -> bool:
        """Whether damaged bytes become U+FFFD instead of an error."""
        return self.damaged == "leave_out"

    def apart(self) -> Decoding:
        """Return the same with a count of its own, for a look that is no reading."""
        return Decoding(self.encoding, self.damaged)


class Found(NamedTuple):
    """An encoding by its common name and its codec; `bom_bytes` is the length of its mark."""

    name: str
    codec: str
    bom_bytes: int = 0


def detect(sample: bytes, *, whole: bool, at_start: bool = True) -> Found | None:
    """Return the encoding of a sample, None on weak evidence.

    `whole` says that nothing follows, `at_start` that nothing comes before it:
    only then can it be UTF-16. A sample of nothing but ASCII is UTF-8.
    """
    if at_start:
        for mark, name, codec in _MARKED:
            if sample.startswith(mark):
                return Found(name, codec, len(mark))
        if b"\x00" in sample[: 1 << 16]:
            return _utf16_of(sample)
    if _is_utf8(sample, whole=whole):
        return Found("UTF-8", "utf-8")
    names = list(_NAMES) if at_start else [name for name in _NAMES if not name.startswith("UTF-16")]
    return _likeliest(sample, names)


def _is_utf8(sample: bytes, *, whole: bool) -> bool:
    """Return whether this is UTF-8, perhaps with damage; text in other encodings hardly ever looks so."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=whole)
    except UnicodeDecodeError as error:
        text = sample.decode("utf-8", "replace")
        han = len(_HAN.findall(text))
        if han >= FEWEST_HAN_OF_UTF8 and han >= LEAST_LEAD * text.count(REPLACEMENT):
            return True
        return len(_HAN.findall(sample[: error.start].decode())) >= FEWEST_HAN_OF_UTF8
    return True


def _utf16_of(sample: bytes) -> Found | None:
    """Return which UTF-16 this is: by its Chinese characters, or because every other byte is 0."""
    for name, lead, zero in (("UTF-16LE", 0, 1), ("UTF-16BE", 1, 0)):
        letters, zeros = sample[lead::2], sample[zero::2]
        if len(zeros) >= FEWEST_HAN and not any(zeros) and letters.isascii() and b"\x00" not in letters:
            return Found(name, _NAMES[name])
    return _likeliest(sample, ["UTF-16LE", "UTF-16BE"])


def _likeliest(sample: bytes, names: list[str]) -> Found | None:
    ranked = sorted(((_evidence(sample, _NAMES[name]), name) for name in names), key=lambda one: -one[0])
    best, name = ranked[0]
    rival = next((share for share, other in ranked[1:] if other.split("-")[0] != name.split("-")[0]), 0.0)
    if best < LEAST_EVERYDAY_SHARE or best < LEAST_LEAD * rival:
        return None
    return Found(name, _NAMES[name])


def _evidence(sample: bytes, codec: str) -> float:
    """Return the share of everyday characters among the Chinese ones, 0 where it is no Chinese text."""
    # What is UTF-8 in between says nothing of the rest; reading on tells it as damage.
    sample = sample[: len(sample) // 2 * 2] if codec.startswith("utf") else _UTF8_RUN.sub(b"", sample)
    text = sample.decode(codec, "replace")
    han = _HAN.findall(text)
    others = sum(1 for mark in text if mark > "\x7f") - len(han) - len(_MARKS.findall(text))
    damaged = len(_BAD.findall(text))
    if len(han) < FEWEST_HAN or len(han) < LEAST_HAN_SHARE * (len(han) + others):
        return 0.0
    # The end of the sample may cut a character, and so may its beginning in a text already begun.
    if damaged > 2 + MOST_DAMAGED_SHARE * len(han):
        return 0.0
    everyday = sum(character in EVERYDAY for character in han)
    # So that of two codecs of one family the one that reads more of the text comes first.
    return everyday / (len(han) + damaged)


class Blocks:
    """One text's bytes, block by block, as text; tells the place of damage in bytes and lines."""

    def __init__(
        self, found: Found, place: str, decoding: Decoding, bytes_before: int = 0, lines_before: int = 0
    ) -> None:
        self._found = found
        self._place = place
        self._leaves_out = decoding.leaves_damage_out
        errors = "replace" if self._leaves_out else "strict"
        self._decoder = codecs.getincrementaldecoder(found.codec)(errors)
        self._bytes = bytes_before
        self._lines = lines_before
        decoding.found[found.name] += 1

    def text(self, block: bytes, *, final: bool) -> str:
        """Return the next block as text.

        Raises:
            WrongEncoding: bytes of it are damaged or in another encoding.
        """
        if not self._found.name.startswith("UTF"):
            block = self._without_utf8(block)
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            raise self._damaged(block, error.start - pending) from None
        self._bytes += len(block)
        self._lines += block.count(b"\n")
        return text

    def utf8(self, block: bytes, *, final: bool) -> bytes:
        """Return the next block as UTF-8.

        Raises:
            WrongEncoding: bytes of it are damaged or in another encoding.
        """
        text = self.text(block, final=final)
        return block if self._found.codec == "utf-8" and not self._leaves_out else text.encode()

    def _without_utf8(self, block: bytes) -> bytes:
        run = _UTF8_RUN.search(block)
        if run is None:
            return block
        if not self._leaves_out:
            raise self._damaged(block, run.start())
        return _UTF8_RUN.sub(b"\xff\xff", block)

    def _damaged(self, block: bytes, at: int) -> WrongEncoding:
        line = self._lines + block[: max(at, 0)].count(b"\n") + 1
        where = "" if self._found.name.startswith(("UTF-16", "UTF-32")) else f" (line {line:,})"
        message = f"{self._place} is {self._found.name}, but byte {self._bytes + at:,}{where} is not: it is damaged, or holds a second encoding"
        return WrongEncoding(
            message,
            "fetch it again, or leave out what holds damage: add --set collect.damaged_text=leave_out",
        )


class Utf8Stream(io.RawIOBase):
    """The bytes of a stream as valid UTF-8."""

    def __init__(self, stream: io.BufferedIOBase, place: str, decoding: Decoding) -> None:
        self._stream = stream
        self._place = place
        self._decoding = decoding
        self._blocks: Blocks | None = None
        self._ready = b""
        self._bytes = 0
        self._lines = 0
        self._at_end = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer with UTF-8.

        Raises:
            WrongEncoding: bytes are damaged or their encoding can't be told.
            UnknownFormat: this is no text.
        """
        while not self._ready and not self._at_end:
            self._ready = self._converted(self._more())
        view = memoryview(buffer)
        given, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(given)] = given
        return len(given)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()
        super().close()

    def _more(self) -> bytes:
        block = self._stream.read(BLOCK_BYTES)
        self._at_end = len(block) < BLOCK_BYTES
        return block

    def _converted(self, block: bytes) -> bytes:
        if self._blocks is None:
            if _says_nothing(block) and not self._decoding.encoding:
                return self._passed(block)
            block, self._blocks = self._begun(block)
        return self._blocks.utf8(block, final=self._at_end)

    def _passed(self, block: bytes) -> bytes:
        self._bytes += len(block)
        self._lines += block.count(b"\n")
        if self._at_end:
            self._decoding.found["UTF-8"] += 1
        return block

    def _begun(self, block: bytes) -> tuple[bytes, Blocks]:
        """Settle the encoding, reading on until there is evidence."""
        found = self._look(block)
        while found is None and not self._at_end and len(block) < MOST_SAMPLE_BYTES:
            block += self._more()
            found = self._look(block)
        if found is None:
            raise unknown_encoding(block, self._place, self._bytes)
        if found.codec == "utf-8" and looks_binary(block):
            raise no_text(self._place)
        before = self._bytes + found.bom_bytes
        return block[found.bom_bytes :], Blocks(found, self._place, self._decoding, before, self._lines)

    def _look(self, block: bytes) -> Found | None:
        return _found(block, self._decoding, whole=self._at_end, at_start=self._bytes == 0)


def decode(raw: bytes, place: str, decoding: Decoding) -> str:
    """Return the text of a whole file's bytes, without a byte order mark.

    Raises:
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    sample = raw[:MOST_SAMPLE_BYTES]
    found = _found(sample, decoding, whole=len(sample) == len(raw), at_start=True)
    if found is None:
        raise unknown_encoding(raw, place, 0)
    return Blocks(found, place, decoding, found.bom_bytes).text(raw[found.bom_bytes :], final=True)


def looks_binary(raw: bytes) -> bool:
    """Return whether these bytes are no text at all."""
    return b"\x00" in raw[:BLOCK_BYTES] and detect(raw[:BLOCK_BYTES], whole=False) is None


def no_text(place: str) -> UnknownFormat:
    """Return the error for bytes that are no text."""
    return UnknownFormat(f"{place} is not a text file", "give a file, folder or archive of text")


def unknown_encoding(raw: bytes, place: str, offset: int) -> WrongEncoding:
    """Return the error for text whose encoding can't be told; the text begins at byte `offset`."""
    from charset_normalizer import from_bytes

    best = from_bytes(raw[:BLOCK_BYTES]).best()
    guess = f"perhaps {best.encoding.upper()}, but " if best is not None else ""
    message = f"{place} is not UTF-8 (byte {offset + _first_wrong(raw):,}); {guess}there is too little Chinese in it to tell its encoding"
    return WrongEncoding(
        message,
        "convert it: iconv -f ENCODING -t UTF-8 OLD > NEW; or say it: add --set collect.encoding=GB18030",
    )


def _first_wrong(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _says_nothing(block: bytes) -> bool:
    return block.isascii() and b"\x00" not in block


def _found(sample: bytes, decoding: Decoding, *, whole: bool, at_start: bool) -> Found | None:
    if not decoding.encoding:
        return detect(sample, whole=whole, at_start=at_start)
    codec = codecs.lookup(decoding.encoding).name
    marks = [(mark, name) for mark, name, other in _MARKED if other == codec and sample.startswith(mark)]
    return Found(codec.upper(), codec, len(marks[0][0]) if marks else 0)
