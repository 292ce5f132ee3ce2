"""Work on files in processes of their own, so that a crash of the native decoder costs one file and not the job.

A worker is ``python -m MODULE ARGUMENTS``: it reads one JSON object a line from standard input and answers each with
one line on standard output. When a worker dies or hangs, the job it was given is the culprit: it is answered by
``crashed``, and a new worker takes over the rest. Nothing of the caller's program is imported again, so this works
from a script, a notebook or the command line alike.

A job hangs when it makes no progress, however long it takes: eleven minutes of 4K are long, not broken. What reads
files calls :func:`progressed` for every packet, frame or block, and a worker then writes an empty line now and again.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

Job = dict[str, Any]

LOOKS = 0.2
"""Seconds between two looks of a worker whether the process that asked is still there."""

NO_PROGRESS = 180.0
"""Seconds without a packet, a frame or a block after which a job is stopped; a share may be away for a minute."""

TELLS = 0.5
"""Seconds between two of a worker's lines that say that it makes progress."""


class _Telling:
    """Says to the process that asked, where there is one, that the job goes on."""

    def __init__(self) -> None:
        self._answers: IO[str] | None = None
        self._last, self._owner = 0.0, 0

    def begin(self, answers: IO[str]) -> None:
        """From now on tells on this stream; processes that this one forks do not."""
        self._answers, self._owner = answers, os.getpid()

    def progressed(self) -> None:
        """The job has come on."""
        if self._answers is None or time.monotonic() - self._last < TELLS or os.getpid() != self._owner:
            return
        self._last = time.monotonic()
        self._answers.write("\n")
        self._answers.flush()


_telling = _Telling()


def progressed() -> None:
    """Says that a job has come on: a packet was read, a frame decoded. Where nobody asked for a job it does nothing."""
    _telling.progressed()


def may_pass(reason: str) -> bool:
    """Whether what became of a worker may not come again: it ran out of memory or time; a crash does come again.

    Args:
        reason: what ``crashed`` of :func:`run_jobs` was given.
    """
    return any(words in reason for words in ("SIGKILL", "took longer", "no progress"))


class _Watch:
    """Kills a process whose job makes no progress, or takes too long.

    Args:
        process: the worker.
        limit: seconds without progress.
        whole: seconds in all; None for as long as it makes progress.
    """

    def __init__(self, process: subprocess.Popen[str], limit: float, whole: float | None) -> None:
        self._process, self._limit, self._whole = process, limit, whole
        self._began = self._last = time.monotonic()
        self._over = threading.Event()
        self.reason = ""
        threading.Thread(target=self._look, daemon=True).start()

    def progressed(self) -> None:
        """The job has come on."""
        self._last = time.monotonic()

    def stop(self) -> None:
        """The job is done."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(max(0.01, self._left())):
            if self._left() > 0:
                continue
            whole = self._whole is not None and time.monotonic() - self._began >= self._whole
            self.reason = (
                f"reading it took longer than {self._whole:.0f} s"
                if whole
                else f"reading it made no progress for {self._limit:.0f} s"
            )
            self._process.kill()
            return

    def _left(self) -> float:
        """Seconds until the process is killed."""
        now = time.monotonic()
        left = self._last + self._limit - now
        return left if self._whole is None else min(left, self._began + self._whole - now)


def command_of(module: str, *arguments: str) -> list[str]:
    """The command of a worker, which imports nothing from the folder that the user happens to be in."""
    return [sys.executable, "-P", "-m", module, *arguments]


def clean_environment() -> dict[str, str]:
    """The environment of a worker: no empty part of PYTHONPATH, which would be the working folder.

    Where the package itself was found in the working folder, as from a checkout, the worker finds it there too.
    """
    parts = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    home = Path(__file__).resolve().parents[2]
    if home == Path.cwd():
        parts.append(str(home))
    rest = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return rest | ({"PYTHONPATH": os.pathsep.join(parts)} if parts else {})


class _Worker:
    """One process, started when it is first needed."""

    def __init__(self, module: str, arguments: Sequence[str], limit: float, whole: float | None) -> None:
        self._command = command_of(module, *arguments)
        self._limit, self._whole = limit, whole
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker

    def do(self, job: Job) -> Job | str:
        """The answer, or what became of the process in its place."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=clean_environment(),
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        watch = _Watch(process, self._limit, self._whole)
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            while (line := process.stdout.readline()) == "\n":
                watch.progressed()
            if line.endswith("\n"):
                answer: Job = json.loads(line)
                return answer
        except OSError:
            pass
        finally:
            watch.stop()
        self._process = None
        process.kill()
        code = process.wait()
        if watch.reason:
            return watch.reason
        self._errors.seek(0)
        reason = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        end = signal.Signals(-code).name if code < 0 else reason[-1] if reason else f"exit status {code}"
        return f"the process that read it ended early: {end}"

    def stop(self) -> None:
        """Ends the process, whatever it is doing; its answers are complete, so nothing of them is lost."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()


def run_jobs(
    module: str,
    arguments: Sequence[Sequence[str]],
    jobs: Sequence[Job],
    crashed: Callable[[Job, str], Job],
    limit: float = NO_PROGRESS,
    whole: float | None = None,
) -> Iterator[tuple[int, Job]]:
    """Answers to all jobs as they come, each with its number.

    Args:
        module: the worker's module.
        arguments: the arguments of each worker; as many workers as entries.
        jobs: what to send.
        crashed: the answer for a job at which its worker died, from the job and the reason.
        limit: seconds without progress (:func:`progressed`) after which a job counts as hung.
        whole: seconds that a job may take in all; None for as long as it makes progress.
    """
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Job] | BaseException] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    workers = [_Worker(module, given, limit, whole) for given in arguments[: max(1, len(jobs))]]
    for _ in workers:
        waiting.put(None)
    closing = threading.Event()

    def serve(worker: _Worker) -> None:
        try:
            while (number := waiting.get()) is not None and not closing.is_set():
                answer = worker.do(jobs[number])
                done.put((number, crashed(jobs[number], answer) if isinstance(answer, str) else answer))
        except BaseException as error:
            done.put(error)

    threads = [threading.Thread(target=serve, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            answer = done.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        closing.set()
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join()


def serve(answer: Callable[[Job], Job]) -> None:
    """The loop of a worker: answers each line of standard input until there are no more.

    Nobody waits for the answer once the process that asked has died, so the worker then ends at once, in the middle of
    a job that may have hours before it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = sys.stdout
    _telling.begin(answers)
    sys.stdout = sys.stderr
    given: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(given, os.getppid()), daemon=True).start()
    while (line := given.get()) is not None:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def _listen(given: queue.SimpleQueue[str | None], asker: int) -> None:
    """Hands on the lines of standard input; after the last, ends the process as soon as ``asker`` is gone."""
    for line in sys.stdin:
        given.put(line)
    given.put(None)
    while os.getppid() == asker:
        time.sleep(LOOKS)
    os._exit(1)
