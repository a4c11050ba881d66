"""The engine: real answers from a real process that may die and may not speak out of turn."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from memorised import MEMORISED, WORD_FOR_WORD
from psyllm.core.errors import BadCheckpoint, EngineFailed, TokenizerMismatch
from psyllm.core.settings import Decoding
from psyllm.lm.engine import Engine, Restarts
from psyllm.lm.template import Message

PATIENCE_S = 280  # a child of a lower priority loads slowly beside busy tests
LONG = Decoding(max_new_tokens=240, temperature=1.5, top_p=1, repetition_penalty=3)


class Running:
    """An event loop in a thread, so that one engine serves several tests."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def __call__(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def run():
    running = Running()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def engine(memorised, run):
    started = run(Engine.start(memorised, threads=1, restarts=Restarts(most=3, first_wait_s=0.05)))
    before = run(started.health())
    assert (before.state, before.queued) == ("starting", 0)
    run(started.ready())
    yield started
    run(started.close())


async def until(happened):
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.02)
    pytest.fail("waited in vain")


def asked(text):
    return [Message("visitor", text)]


async def listen(engine, ticket):
    return [text async for text in engine.stream(ticket)]


async def ask(engine, text, decoding=WORD_FOR_WORD, seed=1):
    ticket = await engine.submit(asked(text), decoding, seed)
    parts = await listen(engine, ticket)
    return "".join(parts), engine.finish_reason(ticket), parts


def child(engine):
    return engine._process.pid


def test_answers_learnt_by_heart_come_out_in_pieces(engine, run):
    for question, answer in MEMORISED:
        text, reason, parts = run(ask(engine, question))
        assert (text, reason) == (answer, "end")
        assert len(parts) > 5
        assert all(parts)


def test_eight_at_once_get_their_own_answers(engine, run):
    async def together():
        return await asyncio.gather(*(ask(engine, MEMORISED[number % 3][0]) for number in range(8)))

    found = run(together())
    assert [text for text, _, _ in found] == [MEMORISED[number % 3][1] for number in range(8)]


def test_the_same_seed_gives_the_same_words(engine, run):
    drawn = LONG.model_copy(update={"max_new_tokens": 20})
    first, again, other = (run(ask(engine, "我最近", drawn, seed))[0] for seed in (1, 1, 2))
    assert first == again != other


def test_health_counts_open_tickets_and_names_the_run(engine, run):
    async def look():
        ticket = await engine.submit(asked("我最近"), WORD_FOR_WORD, 1)
        during = await engine.health()
        await listen(engine, ticket)
        return during, await engine.health()

    during, after = run(look())
    assert (during.state, during.model, during.queued) == ("ready", "by-heart", 1)
    assert after.queued == 0


def test_a_cancelled_answer_ends_and_others_go_on(engine, run):
    async def cancel():
        ticket = await engine.submit(asked("我最近"), LONG, 5)
        with pytest.raises(EngineFailed, match="no end yet"):
            engine.finish_reason(ticket)
        other = asyncio.ensure_future(ask(engine, MEMORISED[1][0]))
        async for _ in engine.stream(ticket):
            break
        await engine.cancel(ticket)
        await engine.cancel(ticket)
        rest = await listen(engine, ticket)
        return engine.finish_reason(ticket), rest, await other

    reason, _, other = run(cancel())
    assert reason == "cancelled"
    assert other[0] == MEMORISED[1][1]
    assert run(engine.health()).queued == 0


def test_words_stand_neither_in_arguments_nor_in_the_environment(engine, run):
    secret = "这句话谁也不该看到"
    run(ask(engine, secret))
    process = Path("/proc") / str(child(engine))
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert secret.encode() not in seen
    assert secret not in repr(engine)


def test_an_empty_dialogue_is_refused(engine, run):
    with pytest.raises(EngineFailed, match="without messages"):
        run(engine.submit([], WORD_FOR_WORD, 1))


def test_a_killed_child_fails_its_open_answers_and_comes_back(engine, run):
    async def kill():
        tickets = [await engine.submit(asked("我最近"), LONG, seed) for seed in range(3)]
        async for _ in engine.stream(tickets[0]):
            break
        os.kill(child(engine), signal.SIGKILL)
        for ticket in tickets:
            with pytest.raises(EngineFailed, match="process is down"):
                await listen(engine, ticket)
            with pytest.raises(EngineFailed):
                engine.finish_reason(ticket)
        between = await engine.health()
        await engine.ready()
        return between, await ask(engine, MEMORISED[0][0])

    between, (text, reason, _) = run(kill())
    assert between.state == "starting"
    assert (text, reason) == (MEMORISED[0][1], "end")


def test_a_child_that_dies_too_often_stays_down(memorised, run):
    async def kill():
        engine = await Engine.start(memorised, threads=1, restarts=Restarts(most=1, first_wait_s=0.01))
        for _ in range(2):
            process = engine._process
            process.kill()
            await until(lambda dead=process: engine._process is not dead or engine._failure is not None)
        state = (await engine.health()).state
        with pytest.raises(EngineFailed):
            await engine.submit(asked("你好"), WORD_FOR_WORD, 1)
        with pytest.raises(EngineFailed):
            await engine.ready()
        await engine.close()
        return state

    assert run(kill()) == "failed"


def test_a_hanging_child_is_replaced(engine, memorised, run):
    async def hang():
        quick = Restarts(most=1, first_wait_s=0.01, silence_s=0.3)
        slow = await Engine.start(memorised, threads=1, restarts=quick)
        await slow.ready()
        os.kill(child(slow), signal.SIGSTOP)
        ticket = await slow.submit(asked("我最近"), LONG, 1)
        with pytest.raises(EngineFailed):
            await listen(slow, ticket)
        await slow.close()

    run(hang())


def test_the_child_dies_with_its_parent(memorised):
    code = (
        "import asyncio,sys\nfrom pathlib import Path\nfrom psyllm.lm.engine import Engine\n"
        "async def main():\n engine=await Engine.start(Path(sys.argv[1]),threads=1)\n"
        " print(engine._process.pid,flush=True)\n await asyncio.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(memorised)], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    for _ in range(200):
        if not is_alive(pid):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_folder_that_can_not_answer_is_refused_at_once(memorised, tmp_path, run):
    with pytest.raises(BadCheckpoint, match="no model folder"):
        run(Engine.start(tmp_path / "none", threads=1))
    folder = shutil.copytree(memorised, tmp_path / "model")
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    with pytest.raises(TokenizerMismatch, match="has hash"):
        run(Engine.start(folder, threads=1))


def test_torn_weights_leave_the_engine_failed_with_the_reason(memorised, tmp_path, run):
    folder = shutil.copytree(memorised, tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])

    async def start():
        engine = await Engine.start(folder, threads=1)
        with pytest.raises(BadCheckpoint, match="can't be loaded"):
            await engine.ready()
        with pytest.raises(BadCheckpoint):
            await engine.submit(asked("你好"), WORD_FOR_WORD, 1)
        state = (await engine.health()).state
        await engine.close()
        return state

    assert run(start()) == "failed"


def test_the_engines_client_does_not_import_torch():
    code = "import sys, psyllm.lm.engine; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
