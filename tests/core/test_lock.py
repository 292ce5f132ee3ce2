import os
import signal
import subprocess
import sys
import time

import pytest

from kinema.core import lock
from kinema.core.errors import RunError, StorageError

pytest.importorskip("fcntl")

HOLDER = """
import os, sys, time
from pathlib import Path
from kinema.core.lock import held
with held(Path(sys.argv[1]), None):
    if os.fork() == 0:
        time.sleep(float(sys.argv[2]))
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def taken(who):
    return RunError(f"process {who}")


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock, with a child that lives so many seconds."""
    begun = []

    def begin(seconds):
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), str(seconds)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert begun[-1].stdout.readline() == "held\n"
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def test_another_process_is_kept_out_and_named(holder, tmp_path):
    process = holder(0)
    began = time.monotonic()
    with pytest.raises(RunError, match=f"process {process.pid}"), lock.held(tmp_path / "lock", taken):
        raise AssertionError("held twice")
    assert time.monotonic() - began < 5


def test_what_a_killed_holder_left_is_waited_for(holder, tmp_path):
    process = holder(1.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with lock.held(tmp_path / "lock", taken):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_but_not_for_ever(holder, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.3)
    process = holder(20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(RunError, match=f"process {process.pid}"), lock.held(tmp_path / "lock", taken):
        raise AssertionError("held while another process does")


def test_a_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="of the work"), lock.held(tmp_path / "lock", taken):
        raise ValueError("of the work")
    with lock.held(tmp_path / "lock", taken):
        pass


def test_a_file_system_without_locks_holds_nothing(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    entered = 0
    with lock.held(tmp_path / "lock", taken), lock.held(tmp_path / "lock", taken):
        entered += 1
    assert entered == 1


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError), lock.held(tmp_path / "file" / "lock", taken):
        pass


def test_a_full_disk_is_an_error_of_ours(tmp_path):
    (tmp_path / "lock").symlink_to("/dev/full")
    if not (tmp_path / "lock").exists():
        pytest.skip("there is no /dev/full")
    with pytest.raises(StorageError), lock.held(tmp_path / "lock", taken):
        pass


def test_a_lock_that_was_left_does_not_fill_a_folder(tmp_path):
    assert lock.is_free(tmp_path / "nowhere")
    with lock.alone(tmp_path / "folder", "testing"):
        assert lock.is_free(tmp_path / "folder")
        with (
            pytest.raises(RunError, match=f"{os.getpid()}.* is testing in"),
            lock.alone(tmp_path / "folder", "testing"),
        ):
            raise AssertionError("held twice")
    (tmp_path / "folder" / "diary.txt").write_text("private")
    assert not lock.is_free(tmp_path / "folder")
    assert not lock.is_free(tmp_path / "folder" / "diary.txt")
