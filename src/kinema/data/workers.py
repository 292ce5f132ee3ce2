"""Work on files in processes of their own, so that a crash of the native decoder costs one file and not the job.

A worker is ``python -m MODULE ARGUMENTS``: it reads one JSON object a line from standard input and answers each with
one line on standard output. When a worker dies or hangs, the job it was given is the culprit: it is answered by
``crashed``, and a new worker takes over the rest. Nothing of the caller's program is imported again, so this works
from a script, a notebook or the command line alike.
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
from typing import Any

Job = dict[str, Any]

LOOKS = 0.2
"""Seconds between two looks of a worker whether the process that asked is still there."""


class _Worker:
    """One process, started when it is first needed."""

    def __init__(self, module: str, arguments: Sequence[str], limit: float) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._limit = limit
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
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        hung = threading.Event()

        def stop() -> None:
            hung.set()
            process.kill()

        timer = threading.Timer(self._limit, stop)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if line.endswith("\n"):
                answer: Job = json.loads(line)
                return answer
        except OSError:
            pass
        finally:
            timer.cancel()
        self._process = None
        process.kill()
        code = process.wait()
        if hung.is_set():
            return f"reading it took longer than {self._limit:.0f} s"
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
    limit: float = 600.0,
) -> Iterator[tuple[int, Job]]:
    """Answers to all jobs as they come, each with its number.

    Args:
        module: the worker's module.
        arguments: the arguments of each worker; as many workers as entries.
        jobs: what to send.
        crashed: the answer for a job at which its worker died, from the job and the reason.
        limit: seconds after which a job counts as hung.
    """
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Job] | BaseException] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    workers = [_Worker(module, given, limit) for given in arguments[: max(1, len(jobs))]]
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
