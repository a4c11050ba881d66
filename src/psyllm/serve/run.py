"""The service's one door: settings and a data folder in, a listening server until Ctrl-C.

Refuses an address that others can reach until the safety report is signed,
and says what to do when the port is taken. Prints nothing itself: `announce`
is told the address.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import uvicorn

from psyllm.core.errors import BadSetting, NotReleased, PortInUse
from psyllm.core.settings import ServeSettings
from psyllm.serve.app import create_app
from psyllm.serve.parts import Parts, open_parts
from psyllm.serve.released import release_of

STOP_WAIT_S = 3
START_WAIT_S = 60.0
LAST_PORT = 65535
Announce = Callable[[str], None]


def run(settings: ServeSettings, data: Path, announce: Announce | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; the model's process ends with it.

    Raises:
        PortInUse: another program listens there.
        NotReleased: the address is not loopback and no signed report allows it.
    """
    server = _Server(settings, data, announce)
    try:
        server.run()
    except KeyboardInterrupt:
        return  # before the first request: nothing has happened yet
    finally:
        server.socket.close()


class Service:
    """The same server in a thread, for tests and benchmarks: `with Service(...) as service`."""

    def __init__(self, settings: ServeSettings, data: Path) -> None:
        self._ready = threading.Event()
        self._server = _Server(settings, data, lambda _: self._ready.set())
        self._thread = threading.Thread(target=self._serve, name="service")
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_WAIT_S):
            self.stop()
            message = "the service did not start"
            raise TimeoutError(message)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and wait until it has."""
        self._server.stop_soon()
        self._thread.join()
        self._server.socket.close()

    def _serve(self) -> None:
        try:
            self._server.run()
        finally:
            self._ready.set()


class _Server(uvicorn.Server):
    """A uvicorn server on a socket of our own that lets go of followers when it stops."""

    def __init__(self, settings: ServeSettings, data: Path, announce: Announce | None) -> None:
        released = release_of(data)
        if not is_loopback(settings.host) and not released.signed:
            message = f"{settings.host} can be reached by others, and {released.reason}"
            here = shlex.quote(str(data))
            next_step = (
                f"serve at 127.0.0.1, or run: psyllm serve report LABELLED.json --data {here}; "
                f"then: psyllm serve sign --name NAME --role ROLE --data {here}"
            )
            raise NotReleased(message, next_step)
        self._settings = settings
        self._data = data
        self._released = released.signed
        self._announce = announce
        self.socket = listen(settings.host, settings.port, data)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{host}:{self.socket.getsockname()[1]}"
        self._app = create_app()
        super().__init__(
            uvicorn.Config(
                self._app,
                log_config=None,
                access_log=False,  # addresses of visitors are nobody's business
                server_header=False,
                lifespan="off",  # the parts are opened outside, so that their errors come out of `run`
                timeout_graceful_shutdown=STOP_WAIT_S,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the parts, serve until told to stop, close the parts."""
        asyncio.run(self._serve_with_parts(sockets or [self.socket]))

    async def _serve_with_parts(self, sockets: list[socket.socket]) -> None:
        async with open_parts(self._settings, self._data, released=self._released) as parts:
            self._app.state.parts = parts
            await self.serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on Ctrl-C and SIGTERM; uvicorn would raise them again in the middle of closing the parts."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as always, then tell the address."""
        await super().startup(sockets)
        if self.started and self._announce is not None:
            self._announce(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first, since an open stream would hold the server up."""
        parts: Parts = self._app.state.parts
        parts.runner.bells.close()
        await super().shutdown(sockets)

    def stop_soon(self) -> None:
        """Ask the server, from any thread, to stop."""
        self.should_exit = True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address; a name other than localhost is not trusted."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int, data: Path) -> socket.socket:
    """Return a bound socket; `data` stands in the command that an error names.

    Raises:
        PortInUse: another program listens there.
        BadSetting: the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} of {host} is in use by another program"
            command = (
                f"psyllm serve --port {port + 1 if port < LAST_PORT else 0} --data {shlex.quote(str(data))}"
            )
            raise PortInUse(message, f"stop it, or run: {command}") from error
        message = f"can't listen at {host} port {port}: {error.strerror}"
        raise BadSetting(message, "set serve.host to 127.0.0.1 and serve.port above 1023") from error
    return bound
