"""The real server: its address, its streams, its end."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from memorised import MEMORISED, memorised_model
from psyllm.casebook.open import casebook_path
from psyllm.core.errors import BadSetting, CasebookError, NotReleased, PortInUse
from psyllm.core.settings import Decoding, ServeSettings
from psyllm.core.stages import Stage, StageRun, set_current, writing
from psyllm.serve.run import Service, is_loopback, run
from serve_house import HEADERS, key

FREE = ServeSettings(port=0, model="none")
EXACT = Decoding(max_new_tokens=120, temperature=0, top_p=1, repetition_penalty=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose model knows three answers by heart."""
    data = tmp_path_factory.mktemp("trained")
    with writing(StageRun(data, Stage.MODELS, "train-by-heart", "mark", (), {})) as stage_run:
        memorised_model(stage_run.folder / "model")
        stage_run.finish(counts={"steps": 1})
    set_current(data, Stage.MODELS, "train-by-heart")
    return data


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[str]:
    """The address of a service whose model is ready."""
    settings = ServeSettings(port=0, model="any", decoding=EXACT)
    with Service(settings, trained) as service:
        with browser(service.url) as visitor:
            until_ready(visitor)
        yield service.url


def browser(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=HEADERS, timeout=30)


def ask(visitor: httpx.Client, title: str) -> dict[str, object]:
    body = {"title": title, "details": "", "request_key": key()}
    turn: dict[str, object] = visitor.post("/api/conversations", json=body).json()
    return turn


def until_ready(visitor: httpx.Client) -> None:
    for _ in range(600):
        if visitor.get("/api/status").json()["generation"] == "ready":
            return
        time.sleep(0.1)
    raise AssertionError("the model did not come up")


def engine_process() -> psutil.Process:
    """Return the process that holds the model (pools of other tests leave processes that track resources)."""
    [engine] = [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "psyllm.lm.engine_process" in " ".join(child.cmdline())
    ]
    return engine


def stream(visitor: httpx.Client, run_id: str, after: int = 0) -> Iterator[tuple[int, str, dict[str, str]]]:
    with visitor.stream(
        "GET", f"/api/runs/{run_id}/events", headers={"Last-Event-ID": str(after)}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}


def test_a_real_model_answers_through_the_whole_service(served: str) -> None:
    with browser(served) as visitor:
        assert visitor.get("/api/status").json()["mode"] == "trial"
        for asked, answer in MEMORISED:
            turn = ask(visitor, asked)
            path = f"/api/conversations/{turn['conversation_id']}/runs"
            view = visitor.post(path, json={"kind": "another_view", "request_key": key()}).json()
            assert view["kind"] == "generated"
            found = list(stream(visitor, view["id"]))
            said = "".join(data["text"] for _, name, data in found if name == "sentence")
            assert said == answer
            assert [name for _, name, _ in found].count("sentence") > 1
            assert found[-1][1] == "done"
            whole = visitor.get(f"/api/conversations/{turn['conversation_id']}").json()["messages"][-1]
            assert (whole["text"], whole["source"]["model"]) == (answer, "train-by-heart")


def test_a_stream_that_broke_goes_on_where_it_stopped(served: str) -> None:
    with browser(served) as visitor:
        turn = ask(visitor, MEMORISED[0][0])
        path = f"/api/conversations/{turn['conversation_id']}/runs"
        run_id = visitor.post(path, json={"kind": "another_view", "request_key": key()}).json()["id"]
        before = next(stream(visitor, run_id))  # then the connection is closed
        after = list(stream(visitor, run_id, before[0]))
    numbers = [number for number, _, _ in [before, *after]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert after[-1][1] == "done"


def test_a_model_folder_that_cannot_be_used_leaves_the_service_running(tmp_path: Path) -> None:
    with writing(StageRun(tmp_path, Stage.MODELS, "train-broken", "mark", (), {})) as stage_run:
        (stage_run.folder / "model").mkdir()
        stage_run.finish(counts={})
    with Service(ServeSettings(port=0, model="any"), tmp_path) as service, browser(service.url) as visitor:
        for _ in range(100):
            state = visitor.get("/api/status").json()["generation"]
            if state != "starting":
                break
            time.sleep(0.05)
        assert state == "failed"
        assert ask(visitor, "晚上睡不着")["run"]["kind"] == "library"


def test_a_model_that_dies_in_the_middle_is_replaced_and_comes_back(served: str) -> None:
    with browser(served) as visitor:
        turn = ask(visitor, MEMORISED[1][0])
        child = engine_process()
        child.suspend()  # so that the answer can't be quicker than the kill
        path = f"/api/conversations/{turn['conversation_id']}/runs"
        view = visitor.post(path, json={"kind": "another_view", "request_key": key()}).json()
        assert view["kind"] == "generated"
        followed = stream(visitor, view["id"])
        assert next(followed)[1] == "state"
        assert next(followed)[2] == {"state": "running"}
        child.kill()
        found = list(followed)
        assert [data["reason"] for _, name, data in found if name == "replaced"] == ["engine"]
        until_ready(visitor)


def test_a_casebook_that_cannot_be_opened_ends_the_command_with_its_error(tmp_path: Path) -> None:
    data = tmp_path / "other"
    data.mkdir()
    (data / "casebook").write_text("a file where a folder should be")
    with pytest.raises(CasebookError, match="can't be made"):
        run(FREE, data)


def test_a_port_in_use_is_named_with_the_next_step(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port}") as caught:
            run(ServeSettings(port=port), tmp_path)
    assert caught.value.next_step.endswith(f"psyllm serve --port {port + 1} --data {tmp_path}")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])  # noqa: S104
def test_others_can_not_reach_it_before_the_release_is_signed(tmp_path: Path, host: str) -> None:
    with pytest.raises(NotReleased, match="safety report") as caught:
        run(ServeSettings(host=host, port=0), tmp_path)
    assert f"psyllm serve report LABELLED.json --data {tmp_path}" in caught.value.next_step


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("localhost.org", False)],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_an_address_of_another_machine_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises((BadSetting, NotReleased)):
        run(ServeSettings(host="203.0.113.7", port=0), tmp_path)


def test_stopping_ends_open_streams_and_does_not_wait_for_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []
    following = threading.Event()

    def follow(cookies: httpx.Cookies, url: str, run_id: str) -> None:
        with browser(url) as visitor:
            visitor.cookies = cookies
            for _, name, _ in stream(visitor, run_id):
                heard.append(name)
                following.set()

    with Service(FREE, tmp_path) as service, browser(service.url) as visitor:
        turn = ask(visitor, "晚上睡不着")
        with closing(sqlite3.connect(casebook_path(tmp_path))) as database:
            database.execute("UPDATE runs SET state = 'running'")
            database.execute("DELETE FROM run_events WHERE name = 'done'")
            database.commit()
        thread = threading.Thread(target=follow, args=(visitor.cookies, service.url, turn["run"]["id"]))
        thread.start()
        assert following.wait(10)
    thread.join()
    assert heard == ["state", "message", "state"]
    assert "timeout graceful shutdown exceeded" not in caplog.text


SCRIPT = """
import sys
from pathlib import Path
from psyllm.core.settings import ServeSettings
from psyllm.serve.run import run
settings = ServeSettings(port=0, model=sys.argv[2])
run(settings, Path(sys.argv[1]), announce=lambda url: print(url, flush=True))
print("stopped cleanly", flush=True)
"""


@pytest.mark.parametrize(("sign", "model"), [(signal.SIGINT, "any"), (signal.SIGTERM, "none")])
def test_ctrl_c_stops_cleanly_and_takes_the_models_process_along(
    trained: Path, sign: signal.Signals, model: str
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(trained), model]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with browser(url) as visitor:
            ask(visitor, "晚上睡不着")
        children = psutil.Process(process.pid).children(recursive=True)
        assert bool(children) is (model == "any")
        os.killpg(process.pid, sign)  # as a terminal does: the child hears it too
        out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert (out, process.returncode) == ("stopped cleanly\n", 0)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_killed_server_takes_the_models_process_along(trained: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(trained), "any"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with browser(url) as visitor:
            until_ready(visitor)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_eight_visitors_at_once_all_get_their_own_answer(tmp_path: Path) -> None:
    failures: list[str] = []

    def visit(url: str) -> None:
        with browser(url) as visitor:
            turn = ask(visitor, "晚上睡不着")
            found = visitor.get(f"/api/conversations/{turn['conversation_id']}").json()
            if [message["author"] for message in found["messages"]] != ["visitor", "library"]:
                failures.append(str(found["version"]))

    with Service(FREE, tmp_path) as service:
        threads = [threading.Thread(target=visit, args=(service.url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
