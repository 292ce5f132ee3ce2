"""Keeps the newest version of a table in memory, read in the background.

A table that has changed is read again, once it has been at rest for ``REST`` seconds; until then the store answers.
"""

from __future__ import annotations

import threading

from rich.console import Console

from kinema.core.errors import KinemaError
from kinema.core.plurals import counted
from kinema.core.printing import show
from kinema.core.progress import Steps
from kinema.core.room import free_memory
from kinema.core.threads import available_cpus
from kinema.searching import database
from kinema.searching.in_memory import Held, bytes_needed, hold
from kinema.searching.vectors import LISTED_ROWS, has_faiss
from kinema.serving.settings import Settings

REST = 5.0
"""Seconds after a change within which no other may come before the table is read again."""

TOLD_FROM = 20_000
"""Rows from which reading is told to the terminal."""


class _NotWantedError(Exception):
    """The version that is read has been replaced, or the server ends."""


class Keeper:
    """A thread that reads a table into memory, and again when it has changed.

    Args:
        uri: where the table is.
        version: of LanceDB, to read first.
        settings: how much memory it may take.
        console: where it is told; None for nowhere.
    """

    def __init__(self, uri: str, version: int, settings: Settings, console: Console | None = None) -> None:
        self.note = ""
        """Why the table is not held, or what is; empty while it is read."""
        self._uri, self._settings, self._console = uri, settings, console
        self._held: Held | None = None
        self._wanted, self._done = version, -1
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep, name="kinema-memory", daemon=True)
        self._thread.start()

    def held(self, version: int) -> Held | None:
        """This version of the table; None where it is not there. A version that is new is read from now on."""
        with self._changed:
            if version != self._wanted:
                self._wanted, self.note = version, ""
                self._changed.notify()
            found = self._held
        return found if found is not None and found.version == version else None

    def close(self) -> None:
        """Ends the thread, when it has read what it reads now."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Waits until the newest version that was asked for is dealt with; whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done == self._wanted, seconds)

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._wanted != self._done)
                at_rest = self._done == -1
                while not at_rest and not self._ended:
                    at_rest = not self._changed.wait(REST)
                if self._ended:
                    return
                wanted = self._wanted
                self._held = None  # before the next is read: two would take twice the memory
            held, note = self._read(wanted)
            with self._changed:
                self._held, self._done = held, wanted
                self.note = note if wanted == self._wanted else self.note
                self._changed.notify_all()

    def _read(self, version: int) -> tuple[Held | None, str]:
        """The version, or why it is not held."""
        if self._settings.memory_gib == 0:
            return None, "Searches read the store, as memory_gib 0 says."
        try:
            rows, needed = self._needed()
            most = self._most()
            if most is not None and needed > most:
                note = (
                    f"The vectors would take {needed / 2**30:.1f} GiB of memory, and {most / 2**30:.1f} GiB are allowed"
                )
                note += f": the store is searched. --memory_gib {needed / 2**30 + 0.1:.1f} allows it." if most else "."
                self._tell(note if most else "")
                return None, note
            console = self._console if rows >= TOLD_FROM else None
            if console is not None:
                self._tell(f"Reading {rows:,} rows into memory; until then searches read the store.")
            with Steps("reading into memory", console) as progress:

                def seen(done: int, total: int) -> None:
                    progress(done, total)
                    if self._ended or self._wanted != version:
                        raise _NotWantedError

                held = hold(self._uri, version, threads=max(1, available_cpus() // 2), progress=seen)
        except _NotWantedError:
            return None, ""
        except KinemaError as error:
            return None, f"The table was not read into memory: {error.message}"
        except MemoryError:
            return None, "The table was not read into memory, for that was not enough: the store is searched."
        note = _note(held)
        if console is not None:
            self._tell(note)
        return held, note

    def _needed(self) -> tuple[int, int]:
        """Rows, and the bytes of memory that they take."""
        table = database.require_table(self._uri)
        with database.storage_errors(self._uri):
            return table.count_rows(), bytes_needed(table)

    def _most(self) -> int | None:
        """Bytes of memory that may be taken; None where nothing is known."""
        if self._settings.memory_gib is not None:
            return int(self._settings.memory_gib * 2**30)
        free = free_memory()
        return None if free is None else free // 2

    def _tell(self, line: str) -> None:
        if self._console is not None and line:
            show(self._console, line)


def _note(held: Held) -> str:
    """What is in memory, in a sentence."""
    rows = len(held.kinds["window"].ids)
    said = f"In memory: {counted(rows, 'windows')}, {held.bytes / 2**30:.2f} GiB, read in {held.seconds:.0f} s. "
    if held.recall is not None:
        found = f"rows of the table find {held.recall:.3f} of their ten nearest"
        return f"{said}A search compares {held.compared:.1%} of them; so {found}."
    slow = rows >= LISTED_ROWS and not has_faiss()
    return f"{said}A search compares all." + (" pip install 'kinema[faiss]' makes it faster." if slow else "")
