"""A program that serves, is killed, and serves again at once: every server is a fork of it.

Reads a line, forks a server over the data folder named as its argument, which
prints its process and address; prints "gone" when that process has ended.
"""

import os
import sys
from pathlib import Path

from psyllm.core.settings import ServeSettings
from psyllm.serve.run import run


def tell(line: str) -> None:
    """Write a line for the test to read."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve once for each line of standard input."""
    data = Path(sys.argv[1])
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            settings = ServeSettings(port=0, model="none")
            run(settings, data, announce=lambda url: tell(f"{os.getpid()} {url}"))
            os._exit(0)
        os.waitpid(child, 0)
        tell("gone")


if __name__ == "__main__":
    main()
