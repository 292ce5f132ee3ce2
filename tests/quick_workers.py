"""Worker processes that start in no time: forked from a process that has loaded what they load.

A scan and a store read files in processes of their own, and starting Python with NumPy and FFmpeg takes longer than all
that a test has for them to do. Here they are processes of their own all the same, which die alone, with the arguments,
the folder, the environment and the pipes that a new interpreter would have. What starts the command ``kinema`` starts
workers as users do, and so does ``data/test_workers.py``.
"""

import contextlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import kinema

MODULES = (
    "kinema.data.video.probe",
    "kinema.data.video.fingerprint",
    "kinema.data.clips.store_worker",
    "kinema.serving.checking",
)
"""The workers that can be forked: none of them loads torch."""


class Workers:
    """What ``kinema.data.workers`` takes for the module ``subprocess``."""

    PIPE = subprocess.PIPE

    def __init__(self):
        self._server, self._address, self._lock = None, None, threading.Lock()

    def Popen(self, command, **settings):  # noqa: N802 - the name that is stood in for
        if command[:3] != [sys.executable, "-P", "-m"] or command[3] not in MODULES or not hasattr(os, "pidfd_open"):
            return subprocess.Popen(command, **settings)
        return Forked(self._listening(), command[3:], settings["stderr"])

    def _listening(self):
        """The address of the server, which is started when it is first needed."""
        with self._lock:
            if self._server is None:
                self._address = str(Path(tempfile.mkdtemp(prefix="workers")) / "socket")
                self._server = subprocess.Popen(
                    [sys.executable, __file__, self._address],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(Path(kinema.__file__).parents[1])},
                )
                self._server.stdout.readline()
        return self._address

    def stop(self):
        if self._server is not None:
            self._server.stdin.close()
            self._server.wait()
            self._server.stdout.close()
            Path(self._address).unlink()
            Path(self._address).parent.rmdir()


class Forked:
    """As much of a ``Popen`` as a worker needs."""

    def __init__(self, address, words, errors):
        asked, given = os.pipe()
        told, answers = os.pipe()
        self.stdin, self.stdout = os.fdopen(given, "w", encoding="utf-8"), os.fdopen(told)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(address)
        request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(self._line, [b"."], [asked, answers, errors.fileno()])
        self._said = self._line.makefile("rw")
        self._said.write(json.dumps(request) + "\n")
        self._said.flush()
        os.close(asked)
        os.close(answers)
        self.pid = int(self._said.readline())

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        status = int(self._said.readline())
        for each in (self._said, self._line, self.stdout):
            each.close()
        with contextlib.suppress(OSError):
            self.stdin.close()
        return status


def serve(address):
    """Forks a keeper for each that calls, until standard input ends."""
    for module in MODULES:
        __import__(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                keep(line)
            line.close()


def keep(line):
    """Forks a worker and tells its number and its end; ends with whoever asked, as a worker's parent does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, pipes, _, _ = socket.recv_fds(line, 1, 3)
    told = line.makefile("rw")
    request = json.loads(told.readline())
    worker = os.fork()
    if worker == 0:
        work(request, pipes)
    for each in pipes:
        os.close(each)
    told.write(f"{worker}\n")
    told.flush()
    ended = os.pidfd_open(worker)
    if ended in select.select([ended, line], [], [])[0]:
        told.write(f"{os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])}\n")
        with contextlib.suppress(OSError):
            told.flush()
    os._exit(0)


def work(request, pipes):
    """Runs the module as ``python -m`` does."""
    status = 1
    try:
        for number, each in enumerate(pipes):
            os.dup2(each, number)
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        sys.argv = request["words"]
        sys.modules.pop(sys.argv[0])
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
