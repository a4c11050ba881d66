"""Every error that psyllm raises on purpose, as one tree.

    PsyError
    ├── BadInput                what the user gave can't be used
    │   ├── MissingFile             a path does not exist
    │   ├── UnknownFormat           a file's content fits no importer
    │   ├── MalformedInput          a file breaks off or breaks its own format
    │   ├── WrongEncoding           bytes are damaged, or their encoding can not be told
    │   ├── SourceExists            a source of this name holds something else
    │   ├── BadSetting              a setting is misspelt or out of range
    │   ├── UnusablePath            the system refuses to read or write there
    │   └── NoPermission            a permission to crawl is missing a part, over or unclear
    ├── MissingStage            a stage needs the one before it first
    ├── EmptyCorpus             nothing is left to work on
    ├── StageBusy               another process works on this stage
    ├── DiskFull                no space is left where a stage writes
    ├── MemoryFull              a step of training does not fit the memory
    ├── LossNotFinite           the loss or its gradient is no number any more
    ├── WorkerLost              processes that did the work were killed
    ├── LostRecords             what came in is not what was kept and dropped
    ├── FrontierLost            the store of a crawl's URLs does not answer
    ├── CrawlStopped            a crawl was told to stop, or its workers ended early
    ├── BadCheckpoint           a model folder can't be used
    │   └── TokenizerMismatch       model and tokenizer do not belong together
    ├── EngineFailed            the model's process does not answer
    ├── PortInUse               another program listens there
    ├── NotReleased             the service may not face the public yet
    ├── CasebookError           the database of people's words
    │   ├── NotFound                no such thing, or not yours to see
    │   ├── NotAllowed              the caller may not do this
    │   ├── StaleVersion            the conversation moved on meanwhile
    │   └── WrongState              not possible in the present state
    └── MissingExtra            an optional package is not installed

Each has a stable `code`, says what was expected, what was found and the next
thing to do. A person's words never stand in one: messages name files, fields,
counts and positions only. `cli` turns an error into two lines and exit status
2, the server into RFC 9457 JSON; nobody else prints them.
"""

from __future__ import annotations


class PsyError(Exception):
    """Something expected went wrong; the message and `next_step` say what to do."""

    code = "PSY-000"

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __reduce__(self) -> tuple[type[PsyError], tuple[str, str]]:
        """Let it come whole out of a worker process."""
        return type(self), (self.message, self.next_step)


class BadInput(PsyError):
    """What the user gave can't be used."""

    code = "PSY-100"


class MissingFile(BadInput):
    """A path does not exist."""

    code = "PSY-101"


class UnknownFormat(BadInput):
    """A file's content fits no importer."""

    code = "PSY-102"


class MalformedInput(BadInput):
    """A file breaks off or breaks its own format."""

    code = "PSY-103"


class WrongEncoding(BadInput):
    """Bytes are damaged, or their encoding can not be told."""

    code = "PSY-104"


class SourceExists(BadInput):
    """A source of this name holds something else."""

    code = "PSY-105"


class BadSetting(BadInput):
    """A setting is misspelt or out of range."""

    code = "PSY-106"


class UnusablePath(BadInput):
    """The system refuses to read or write there."""

    code = "PSY-107"


class NoPermission(BadInput):
    """A permission to crawl is missing a part, over or unclear."""

    code = "PSY-110"


class MissingStage(PsyError):
    """A stage needs the one before it first."""

    code = "PSY-200"


class EmptyCorpus(PsyError):
    """Nothing is left to work on."""

    code = "PSY-201"


class StageBusy(PsyError):
    """Another process works on this stage."""

    code = "PSY-202"


class DiskFull(PsyError):
    """No space is left where a stage writes."""

    code = "PSY-203"


class MemoryFull(PsyError):
    """A step of training does not fit the memory."""

    code = "PSY-207"


class LossNotFinite(PsyError):
    """The loss or its gradient is no number any more."""

    code = "PSY-208"


class WorkerLost(PsyError):
    """Processes that did the work were killed."""

    code = "PSY-204"


class LostRecords(PsyError):
    """What came in is not what was kept and dropped."""

    code = "PSY-205"


class FrontierLost(PsyError):
    """The store of a crawl's URLs does not answer."""

    code = "PSY-206"


class CrawlStopped(PsyError):
    """A crawl was told to stop, or its workers ended early."""

    code = "PSY-210"


class BadCheckpoint(PsyError):
    """A model folder can't be used."""

    code = "PSY-300"


class TokenizerMismatch(BadCheckpoint):
    """Model and tokenizer do not belong together."""

    code = "PSY-301"


class EngineFailed(PsyError):
    """The model's process does not answer."""

    code = "PSY-302"


class PortInUse(PsyError):
    """Another program listens there."""

    code = "PSY-400"


class NotReleased(PsyError):
    """The service may not face the public yet."""

    code = "PSY-401"


class CasebookError(PsyError):
    """The database of people's words."""

    code = "PSY-500"


class NotFound(CasebookError):
    """No such thing, or not yours to see."""

    code = "PSY-501"


class NotAllowed(CasebookError):
    """The caller may not do this."""

    code = "PSY-502"


class StaleVersion(CasebookError):
    """The conversation moved on meanwhile."""

    code = "PSY-503"


class WrongState(CasebookError):
    """Not possible in the present state."""

    code = "PSY-504"


class MissingExtra(PsyError):
    """An optional package is not installed."""

    code = "PSY-600"
