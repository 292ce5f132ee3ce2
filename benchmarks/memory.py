"""The most memory that a process has of its own."""

from __future__ import annotations

import threading
from pathlib import Path


class Peak:
    """The most memory of its own that this process has had since."""

    def __init__(self) -> None:
        self.first = self.most = _anonymous()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.most = max(self.most, _anonymous())

    def mib(self) -> float:
        """MiB above what it had at first."""
        self._stop.set()
        self._thread.join()
        return (max(self.most, _anonymous()) - self.first) / 1024


def _anonymous() -> int:
    """KiB of memory that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise RuntimeError("this system does not say RssAnon")
