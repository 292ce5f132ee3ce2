"""A line that says that a verb is at work, whenever a person at a terminal has been told nothing for a while.

Loading torch takes seconds, and so does much that has no bar of its own. One place sees to all of it: the streams note
when something was last written, and a thread writes a status line where that is long ago, and takes it away before the
next text is written. Only a terminal is shown it; pipes and files get what they always got. rich's own status cannot be
left on: it takes over the streams, and two of its displays at once disturb one another.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

FIRST, AFTER, EVERY = 0.4, 1.5, 0.5
"""Seconds of silence after which the line is shown: at first, and later; and between two versions of it."""
_CLEAR = "\r\x1b[2K"


class _Noticed:
    """A stream that tells when it is written to, and is the stream in all else."""

    def __init__(self, stream: Any, line: _Line) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        with self._line.writing(text):
            return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Line:
    """The status line, on a terminal."""

    def __init__(self, words: str, terminal: Any, first: float, after: float) -> None:
        self._words, self._terminal, self._after = words, terminal, after
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._shown, self._open = False, False
        self._began = time.monotonic()
        self._due = self._began + first

    @contextmanager
    def writing(self, text: str) -> Iterator[None]:
        """Takes the line away while something else is written."""
        with self._lock:
            self._clear()
            yield
            self._open = bool(text) and not text.endswith("\n") and text != _CLEAR
            self._due = time.monotonic() + self._after

    def run(self) -> None:
        """Shows the line where it is due, until it is ended."""
        while not self._ended.wait(EVERY if self._shown else 0.1):
            with self._lock, suppress(OSError, ValueError):
                if time.monotonic() >= self._due and not self._open and not self._ended.is_set():
                    self._terminal.write(f"{_CLEAR}{self._words}, {time.monotonic() - self._began:.0f} s")
                    self._terminal.flush()
                    self._shown = True

    def end(self) -> None:
        """No line from here on."""
        self._ended.set()
        with self._lock:
            self._clear()

    def forget(self) -> None:
        """In a process that was forked: the thread is not there, and its lock may have been taken."""
        self._lock, self._shown = threading.RLock(), False
        self._ended.set()

    def _clear(self) -> None:
        if self._shown:
            with suppress(OSError, ValueError):
                self._terminal.write(_CLEAR)
                self._terminal.flush()
            self._shown = False


_lines: list[_Line] = []


@contextmanager
def told(words: str, *, first: float = FIRST, after: float = AFTER) -> Iterator[None]:
    """While it lasts, silence on a terminal is filled with a line; elsewhere nothing is done.

    Args:
        words: what the line says: 'kinema pretrain: at work'.
        first: seconds of silence before the first line.
        after: seconds of silence after something was written.
    """
    if not sys.stderr.isatty():
        yield
        return
    line, before = _Line(words, sys.stderr, first, after), (sys.stdout, sys.stderr)
    mine: Any = (_Noticed(sys.stdout, line), _Noticed(sys.stderr, line))
    sys.stdout, sys.stderr = mine
    _lines.append(line)
    thread = threading.Thread(target=line.run, name="status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        line.end()
        thread.join()
        _lines.remove(line)
        for name, own, stream in zip(("stdout", "stderr"), mine, before, strict=True):
            if getattr(sys, name) is own:
                setattr(sys, name, stream)


def stop() -> None:
    """Ends the line of the verb that runs: it waits for others from here on, as a server does."""
    for line in _lines:
        line.end()


def _after_fork() -> None:
    for line in _lines:
        line.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
