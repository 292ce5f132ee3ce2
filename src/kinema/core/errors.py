"""Errors that teach: each says what was wrong, where, and what to do about it.

Every error a user can cause is a :class:`KinemaError`. The command line prints ``message`` and ``hint`` and
leaves with ``exit_status``: 1 when the job failed, 2 when the request could not be understood. Invariants of our
own code are plain ``assert`` statements, not these.
"""

from __future__ import annotations


class KinemaError(Exception):
    """A failure that the user can understand and mend.

    Args:
        message: what was wrong and where, naming the value.
        hint: what to do about it, one sentence; empty where the message says it already.
    """

    kind = "error"
    exit_status = 1
    resumable = False
    """Whether what was under way can go on where it stopped, once the reason is gone."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(KinemaError):
    """The request itself cannot be understood: an unknown verb, option or name."""

    kind = "usage"
    exit_status = 2


class ConfigError(KinemaError, ValueError):
    """Settings that contradict one another or that no run could honour."""

    kind = "config"
    exit_status = 2


class DataError(KinemaError):
    """The videos, their labels or their manifest do not allow what was asked."""

    kind = "data"


class VideoError(DataError):
    """One file that could not be read; the message names the file and the reason."""

    kind = "video"


class ShapeError(KinemaError, ValueError):
    """A tensor or array whose shape, type or values a function cannot work with."""

    kind = "shape"


class CheckpointError(KinemaError):
    """A checkpoint that belongs to another method or shape, or that is damaged."""

    kind = "checkpoint"


class RunError(KinemaError):
    """A run folder that exists already, is missing, or is not a run."""

    kind = "run"


class TrainingError(KinemaError):
    """Training that cannot go on: a loss that is not finite, or a collapsed representation."""

    kind = "training"


class ExportError(KinemaError):
    """A model that cannot be written in another format, or whose export does not compute what it computes."""

    kind = "export"


class StorageError(KinemaError):
    """A file that could not be written: a full disk, a read-only folder."""

    kind = "storage"
    resumable = True


class WorkerError(KinemaError):
    """A process that works beside this one was killed, or does nothing any more."""

    kind = "worker"
    resumable = True


class ClusterError(KinemaError):
    """A cluster of several machines that cannot be joined, has no room, or fails at its work."""

    kind = "cluster"


class MissingExtraError(KinemaError, ImportError):
    """An optional part that is not installed; the message names the extra."""

    kind = "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package '{package}', which is not installed.",
            f"Install it with: pip install 'kinema[{extra}]'",
        )
