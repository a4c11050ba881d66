"""The Redis behind a crawl: connecting, scripts, errors, and whether it may be trusted with URLs.

An address and a crawl's name come in; atomic script calls and plain commands go
out, and whatever goes wrong on the way is a `FrontierLost`. Secrets in the
address appear in no message.

What durability needs: `appendonly yes`. With `appendfsync always` an answer
means that it is on the disk; with `everysec` a power cut of the Redis machine
may take back the last second (pages of that second are fetched again and their
first copies never count). Without an append-only file a restart would forget
the crawl, and with an eviction policy Redis throws URLs away when its memory is
full: both are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from psyllm.core.errors import BadSetting, FrontierLost

# A script of a full batch runs for milliseconds; an answer this late means a dead server or network.
ANSWER_S = 30.0
CONNECT_S = 5.0


class RedisServer:
    """A connection (pool) to one Redis, for the keys of one crawl; threads may share it."""

    def __init__(self, address: str, crawl: str, now: Callable[[], float] | None = None) -> None:
        """Prepare; nothing is sent yet. `now` replaces the server's clock in tests.

        Raises:
            BadSetting: the address is none of Redis.
        """
        try:
            self.client = redis.Redis.from_url(
                address, socket_timeout=ANSWER_S, socket_connect_timeout=CONNECT_S, health_check_interval=30
            )
        except ValueError as error:
            message = "the address of the frontier is no Redis address"
            raise BadSetting(message, "write for example redis://127.0.0.1:6379/0") from error
        known = self.client.connection_pool.connection_kwargs
        self.name = str(known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}")
        # Braces keep all keys of a crawl on one node where a proxy splits by hash slot.
        self.prefix = f"{{psyllm:{crawl}}}:"
        self._now = now

    def script(self, name: str) -> Callable[..., list[bytes]]:
        """Return a function that runs the Lua file `name` as (operation, more arguments) in one atomic step."""
        text = Path(__file__).with_name(f"{name}.lua").read_text("utf-8")
        registered = self.client.register_script(text)

        def run(operation: str, *arguments: str | bytes | float) -> list[bytes]:
            now = "" if self._now is None else f"{self._now():.6f}"
            with self.answering():
                reply = registered(keys=[self.prefix], args=[operation, now, *arguments])
            return list(reply)

        return run

    def time(self) -> float:
        """Return the server's time in unix seconds."""
        if self._now is not None:
            return self._now()
        with self.answering():
            seconds, microseconds = self.client.time()
        return float(seconds) + float(microseconds) / 1e6

    def one(self, command: str, name: str, *arguments: str | bytes | int) -> bytes | None:
        """Run a Redis command on the crawl's key `name` that answers one value or nothing."""
        reply = self._ask(command, name, *arguments)
        return reply if isinstance(reply, bytes) else None

    def rows(self, command: str, name: str, *arguments: str | bytes | int) -> list[bytes]:
        """Run a Redis command on the crawl's key `name` that answers several values."""
        reply = self._ask(command, name, *arguments)
        return list(reply) if isinstance(reply, (list, set)) else []

    def table(self, name: str) -> dict[str, str]:
        """Return the crawl's hash `name`."""
        reply = self._ask("HGETALL", name)
        return (
            {key.decode(): value.decode() for key, value in reply.items()} if isinstance(reply, dict) else {}
        )

    def require_lasting(self, *, must_last: bool) -> None:
        """Refuse a Redis that would evict URLs, or (if it must last) that keeps nothing on disk.

        Raises:
            BadSetting: it is set up so; the message says what and the next step how to mend it.
            FrontierLost: it does not answer.
        """
        with self.answering():
            persistence, memory = self.client.info("persistence"), self.client.info("memory")
            fsync = self._appendfsync()
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            message = f"the Redis at {self.name} throws keys away when its memory is full ({policy})"
            raise BadSetting(
                message, "run: redis-cli config set maxmemory-policy noeviction (and in redis.conf)"
            )
        if must_last and not (persistence.get("aof_enabled") and fsync != "no"):
            found = "appendonly no" if not persistence.get("aof_enabled") else "appendfsync no"
            message = f"the Redis at {self.name} would forget the crawl when it restarts ({found})"
            raise BadSetting(
                message,
                "set appendonly yes and appendfsync everysec or always in redis.conf, then start again",
            )

    def close(self) -> None:
        """Close the connections of this process."""
        self.client.close()

    def _ask(self, command: str, name: str, *arguments: str | bytes | int) -> object:
        ask: Callable[..., object] = self.client.execute_command
        with self.answering():
            return ask(command, self.prefix + name, *arguments)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what goes wrong with the server into a `FrontierLost`."""
        try:
            yield
        except redis.exceptions.AuthenticationError as error:
            message = f"the Redis at {self.name} refuses the name or password"
            raise FrontierLost(message, "check both in the redis:// address") from error
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            message = f"the Redis at {self.name} does not answer"
            raise FrontierLost(
                message, "see that it runs and can be reached; the crawl goes on where it stood"
            ) from error
        except redis.exceptions.OutOfMemoryError as error:
            message = f"the Redis at {self.name} has no memory left"
            raise FrontierLost(message, "raise its maxmemory; the crawl goes on where it stood") from error
        except redis.exceptions.RedisError as error:
            # The first word is Redis's own code (MISCONF, NOPERM …); the rest may quote arguments.
            code = (str(error).split() or ["no code"])[0]
            message = f"the Redis at {self.name} refuses to work ({type(error).__name__}: {code})"
            raise FrontierLost(
                message, "see its log: its disk, its version (7 or newer), its rights"
            ) from error

    def _appendfsync(self) -> str:
        try:
            return str(self.client.config_get("appendfsync").get("appendfsync", ""))
        except redis.exceptions.ResponseError:
            # Rented servers often forbid CONFIG; INFO has told us that there is an append-only file.
            return ""
