from made_up import write_lines
from psyllm.collect.formats import recognise
from psyllm.collect.source import Source


def read(values, path):
    form = recognise(write_lines(values, path))
    assert form.name == "dialogues as JSON"
    return list(form.read(path, Source("smile", "CC0-1.0")))


def test_clients_and_counselors_become_visitors_and_counsellors(tmp_path):
    dialog = [{"role": "client", "content": " 你好\n"}, {"role": "counselor", "content": "你好，请说。"}]
    (record,) = read([{"id": "12", "dialog": dialog}], tmp_path / "a")
    assert (record.id, record.group, record.kind) == ("smile:12", "smile:12", "dialogue")
    assert [(turn.role, turn.text) for turn in record.turns] == [
        ("visitor", " 你好\n"),
        ("counsellor", "你好，请说。"),
    ]


def test_a_dialogue_without_an_id_is_named_by_its_bytes(tmp_path):
    one, two = ({"dialog": [{"role": "client", "content": text}]} for text in ("甲", "乙"))
    records = read([one, two, one], tmp_path / "a")
    assert records[0].group == records[2].group != records[1].group
    assert len({record.id for record in records}) == 3
