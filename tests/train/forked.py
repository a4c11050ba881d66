"""Processes that begin with the libraries of training loaded: forks of one server, which loads them once.

For tests that need several processes, or one that dies. In: a function of a test's module and its arguments.
Out: what it returns, or a failure with its traceback.
"""

import importlib
import multiprocessing
import sys
import traceback
from multiprocessing.connection import Connection

LOADED = ("psyllm.train.stages", "psyllm.train.run", "peft", "torch.distributed.tensor")
PATIENCE_S = 250


class Fork:
    """A function at work in a process of its own."""

    def __init__(self, work, *arguments) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        self._said, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_tell, args=(theirs, work, arguments))
        self._process.start()
        theirs.close()

    def result(self, patience_s: float = PATIENCE_S):
        """Wait for its end and return what it returned; one that hangs is a failure."""
        try:
            assert self._said.poll(patience_s), f"it has said nothing for {patience_s} s"
            is_whole, said = self._said.recv()
            self._process.join(patience_s)
        finally:
            self._process.kill()
            self._said.close()
        assert is_whole, said
        return said


def loaded() -> set[str]:
    """Return the names of all modules that are there once the door of training and its stages are loaded."""
    for name in ("psyllm.train.run", "psyllm.train.stages"):
        importlib.import_module(name)
    return set(sys.modules)


def _tell(told: Connection, work, arguments) -> None:
    try:
        told.send((True, work(*arguments)))
    except BaseException:
        told.send((False, traceback.format_exc()))
        raise
