"""Several answers at once are the answers one would get alone."""

import pytest
import torch

from psyllm.core.settings import Decoding
from psyllm.lm.decode import READ_TOKENS, Decoder
from psyllm.lm.memory import SLOTS
from psyllm.lm.template import END, PAD, Message, encode_prompt

ASKED = [[Message("visitor", f"我最近{word}，不知道怎么办")] for word in "甲乙丙丁戊己庚辛壬癸"]
DRAWN = Decoding(max_new_tokens=24, temperature=1, top_p=0.95)
GREEDY = Decoding(max_new_tokens=24, temperature=0, repetition_penalty=1)


def run(decoder, already=(), steps=2000):
    texts, reasons = {}, {}
    said = list(already)
    while (decoder.busy or said) and steps:
        steps -= 1
        for ticket, text, reason in said or decoder.step():
            assert ticket not in reasons
            texts[ticket] = texts.get(ticket, "") + text
            if reason:
                reasons[ticket] = reason
        said = []
    assert not decoder.busy
    return texts, reasons


def test_an_answer_does_not_depend_on_who_else_asks(tiny):
    together = Decoder(tiny)
    said = []
    for number, messages in enumerate(ASKED):
        together.add(str(number), messages, DRAWN, number)
        said += [*together.step(), *together.step()]
    texts, reasons = run(together, said)
    assert set(reasons) == {str(number) for number in range(len(ASKED))}
    assert len(set(texts.values())) > 5
    for number, messages in enumerate(ASKED):
        alone = Decoder(tiny)
        alone.add("it", messages, DRAWN, number)
        assert run(alone)[0]["it"] == texts[str(number)]


def test_a_long_prompt_is_read_in_parts_without_disturbing_anyone(tiny, monkeypatch):
    monkeypatch.setattr("psyllm.lm.decode.READ_TOKENS", 5)
    assert READ_TOKENS > 5
    long = [Message("visitor", "，".join("我最近总是睡不着觉怎么办才好") * 3)]
    decoder = Decoder(tiny)
    step = decoder._slots.step

    def watched(ids, positions):
        reading = [(row, one.read) for row, one in enumerate(decoder._rows) if one and not one.said]
        assert all(positions[row] >= read for row, read in reading)
        return step(ids, positions)

    decoder._slots.step = watched
    decoder.add("short", ASKED[0], GREEDY, 1)
    said = decoder.step()
    decoder.add("long", long, GREEDY, 1)
    texts, _ = run(decoder, said)
    monkeypatch.undo()
    for ticket, messages in (("short", ASKED[0]), ("long", long)):
        alone = Decoder(tiny)
        alone.add("it", messages, GREEDY, 1)
        assert run(alone)[0]["it"] == texts[ticket]


def test_greedy_answers_are_those_of_transformers(tiny):
    tokenizer = tiny.tokenizer
    for messages in ASKED[:3]:
        decoder = Decoder(tiny)
        decoder.add("it", messages, GREEDY, 1)
        text = run(decoder)[0].get("it", "")
        prompt = encode_prompt(tokenizer, messages, 80)
        barred = [tokenizer.mark(PAD), 2, 3]
        with torch.no_grad():
            ids = tiny.model.generate(
                input_ids=torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=24,
                do_sample=False,
                use_cache=True,
                suppress_tokens=barred,
            )[0, len(prompt) :].tolist()
        ids = ids[: ids.index(tokenizer.mark(END))] if tokenizer.mark(END) in ids else ids
        assert text == tokenizer.decode(ids).replace("\ufffd", "")


def test_more_tickets_than_slots_wait_their_turn(tiny):
    decoder = Decoder(tiny)
    tickets = [f"t{number}" for number in range(2 * SLOTS + 3)]
    for number, ticket in enumerate(tickets):
        decoder.add(ticket, ASKED[number % 10], DRAWN, number)
    assert set(run(decoder)[1]) == set(tickets)


def test_a_cancelled_answer_frees_its_slot(tiny):
    decoder = Decoder(tiny, slots=1)
    decoder.add("first", ASKED[0], DRAWN, 1)
    decoder.add("second", ASKED[1], DRAWN, 1)
    decoder.add("third", ASKED[2], DRAWN, 1)
    decoder.step()
    assert decoder.cancel("first")
    assert decoder.cancel("third")
    assert not decoder.cancel("third")
    texts, reasons = run(decoder)
    assert set(reasons) == {"second"}
    assert "first" not in texts


def test_an_answer_ends_with_its_end_or_its_greatest_length(memorised):
    from memorised import MEMORISED, WORD_FOR_WORD
    from psyllm.lm.checkpoint import load

    checkpoint = load(memorised)
    for asked, answer in MEMORISED:
        decoder = Decoder(checkpoint)
        decoder.add("whole", [Message("visitor", asked)], WORD_FOR_WORD, 1)
        cut = WORD_FOR_WORD.model_copy(update={"max_new_tokens": 5})
        decoder.add("cut", [Message("visitor", asked)], cut, 1)
        texts, reasons = run(decoder)
        assert texts["whole"] == answer
        assert reasons == {"whole": "end", "cut": "length"}
        assert answer.startswith(texts["cut"])
        assert texts["cut"]


@pytest.mark.parametrize("length", [1, 40, 4000])
def test_any_length_of_question_leaves_room_for_an_answer(tiny, length):
    decoder = Decoder(tiny)
    decoder.add(
        "it", [Message("visitor", "累" * length)], GREEDY.model_copy(update={"max_new_tokens": 9999}), 1
    )
    assert run(decoder)[1]["it"] in {"end", "length"}


def test_negative_and_huge_seeds_are_taken(tiny):
    decoder = Decoder(tiny)
    decoder.add("a", ASKED[0], DRAWN, -5)
    decoder.add("b", ASKED[0], DRAWN, 2**70)
    assert set(run(decoder)[1]) == {"a", "b"}
