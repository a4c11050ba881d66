import re
from pathlib import Path

import psyllm.clean
from psyllm.clean.reasons import reasons
from psyllm.core.tombstones import FORGOTTEN

ROOM = Path(psyllm.clean.__file__).parent
SHORT = {"short_document", "short_question", "no_visitor", "no_counsellor"}  # made up from a kind or a role


def test_every_reason_that_the_code_can_give_is_explained():
    code = "\n".join(path.read_text("utf-8") for path in ROOM.glob("*.py"))
    given = set(re.findall(r'(?:Drop\(|REASON = )"(\w+)"', code))
    given |= {*re.findall(r'"(\w+_duplicate)"', code), FORGOTTEN}
    assert len(given) > 10
    assert given - reasons().keys() == set()
    assert reasons().keys() - given - SHORT == set()


def test_reasons_are_sentences():
    assert all(text.endswith(".") and len(text) > 20 for text in reasons().values())
