"""The status line: shown where nothing is said for a while, gone before anything is; only on a terminal."""

import io
import os
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from kinema.cli import waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@contextmanager
def on_a_terminal():
    """Both streams are one terminal."""
    one = Terminal()
    with redirect_stdout(one), redirect_stderr(one):
        yield one


def until(terminal, text, within=10):
    """Waits until a text is on the terminal."""
    ends = time.monotonic() + within
    while text not in terminal.getvalue() and time.monotonic() < ends:
        time.sleep(0.01)
    assert text in terminal.getvalue()


def test_silence_is_filled_and_the_line_makes_room():
    with on_a_terminal() as terminal, waiting.told("kinema x: at work", first=0, after=0.1):
        until(terminal, "kinema x: at work, 0 s")
        print("one")
        shown = terminal.getvalue()
        assert shown.endswith(f"{waiting._CLEAR}one\n")
        until(terminal, f"one\n{waiting._CLEAR}kinema x: at work")
        print("no end of the line", end="")
        begun = terminal.getvalue()
        time.sleep(0.4)
        assert terminal.getvalue() == begun  # whoever wrote that is not done
        print()
        waiting.stop()
        ended = terminal.getvalue()
        time.sleep(0.4)
        assert terminal.getvalue() == ended


def test_a_child_of_a_fork_writes_without_the_line():
    with on_a_terminal() as terminal, waiting.told("kinema x: at work", first=0):
        until(terminal, "at work")
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            print("in the child")
            os.write(write, terminal.getvalue().partition("in the")[2].encode())
            os._exit(0)
        assert os.read(read, 100) == b" child\n"
        os.waitpid(child, 0)


def test_without_a_terminal_nothing_is_changed(capsys):
    before = sys.stdout, sys.stderr
    with waiting.told("kinema x: at work", first=0):
        time.sleep(0.3)
        assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("", "")
