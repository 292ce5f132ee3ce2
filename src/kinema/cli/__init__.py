"""The command line: a file a verb. Each parses its arguments, makes one call and prints what came of it.

With ``--json`` one JSON object goes to standard output and all else to standard error. Exit status: 0 done, 1 the job
failed, 2 wrong usage. ``kinema --help`` loads no verb.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from kinema.cli import help as help_of
from kinema.cli.completion import ASK, candidates, script
from kinema.cli.verbs import OLD_OPTIONS, OLD_VERBS, SYNONYMS, VERBS
from kinema.cli.waiting import told
from kinema.core.errors import KinemaError, StorageError, UsageError
from kinema.core.guesses import choose_from
from kinema.core.processes import place
from kinema.core.version import RELEASE

_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
"""What the system says where standard output is full or gone."""

HELP = """usage: kinema VERB ...

Learns what moves, from video that nobody labelled.

verbs:
{verbs}

options:
  --version           print the version
  --completion SHELL  print a script that makes bash, zsh or fish complete verbs, methods and options
  --json              (after a verb) print one JSON object on standard output
  --help [all]        (after a verb) what can be set: what matters most, or all of it

'kinema VERB --help' tells the rest. Dashes do in the names of options, too: --batch-size is --batch_size.
Exit status: 0 done, 1 the job failed, 2 wrong usage.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one verb and leaves with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks is shown by its codes
            stream.reconfigure(errors="backslashreplace")
    given = [_underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    as_json = "--json" in given
    _leave_to_the_first()
    with _interrupted_by_signals():
        try:
            status = _run(given)
            sys.stdout.flush()
        except KinemaError as error:
            status = error.exit_status
            _print_error(error, as_json)
        except KeyboardInterrupt:
            status = 1
            _print_error(KinemaError("Stopped.", "What was finished is kept."), as_json)
        except BrokenPipeError:
            status = 1
            _drop_output()
        except OSError as error:
            if error.filename is not None or error.errno not in _OF_OUTPUT:
                raise
            status = 1
            _drop_output()
            _print_error(
                StorageError(
                    f"The output could not be written: {error.strerror}.", "Free some space; see what it is sent to."
                ),
                as_json=False,
            )
    sys.exit(status)


def _drop_output() -> None:
    """What could not be written is not tried again when Python ends, which would be a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Takes the system's wish to end, and the end of the terminal, as Ctrl-C: what is half written is taken away."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in (getattr(signal, name) for name in names)}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    mine = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def _underscored(word: str) -> str:
    """Options may be written with dashes, as --clips-per-class is; help and pages write --clips_per_class."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _complete(asked: str, words: list[str]) -> int:
    """Prints the script of a shell, or the words that such a script asks for, a line each."""
    text = script(words[0] if words else "") if asked != ASK else "".join(f"{word}\n" for word in candidates(words))
    print(text, end="")
    return 0


def _by_its_name(verb: str, word: str) -> str:
    """An option as it is called now; a line names it where it was called by a name of before."""
    name, equals, value = word.partition("=")
    new = OLD_OPTIONS.get(verb, {}).get(name)
    if new is not None:
        print(f"kinema: {name} of '{verb}' is called {new} now.", file=sys.stderr)
    return (new or SYNONYMS.get(verb, {}).get(name, name)) + equals + value


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        text = HELP.format(verbs="\n".join(f"  {name:10}  {line}" for name, line in VERBS.items()))
        print(text, end="", file=sys.stdout if given else sys.stderr)
        return 0 if given else 2
    if given[0] == "--version":
        print(f"kinema {RELEASE}")
        return 0
    if given[0] in ("--completion", ASK):
        return _complete(given[0], given[1:])
    if given[0] in OLD_VERBS:
        now = OLD_VERBS[given[0]]
        print(f"kinema: '{given[0]}' is now: kinema {' '.join(now)}", file=sys.stderr)
        given = [*now, *given[1:]]
    if given[0] not in VERBS:
        raise UsageError(f"There is no verb '{given[0]}'.", choose_from(given[0], VERBS))
    if given[0] != "evaluate" and help_of.asked(given[1:]):  # evaluate lists its protocols, which load quickly
        page = help_of.from_catalogue(given[0], given[1:])
        if page is not None:
            print(page, end="")
            return 0
    given = [given[0], *(_by_its_name(given[0], word) for word in given[1:])]
    with told(f"kinema {given[0]}: at work"):
        run: Callable[[list[str]], int] = importlib.import_module(f"kinema.cli.{given[0]}").run
        return run(given[1:])


_SHARED = ("interrupted", "processes", "dismissed", "training")
"""Kinds of errors that all processes of a training meet together, and the first one tells."""


def _leave_to_the_first() -> None:
    """Where several processes train together, warnings are said by the first one alone."""
    if place().rank:
        logging.getLogger("kinema").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")


def _print_error(error: KinemaError, as_json: bool) -> None:
    here = place()
    if here.rank:
        if error.kind not in _SHARED:
            print(f"kinema: process {here.rank} of {here.world}: {error.message}", file=sys.stderr)
        return
    with suppress(OSError):  # the terminal may be gone
        if as_json:
            print(json.dumps({"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}), flush=True)
        print(f"kinema: {error.message}", file=sys.stderr)
        for line in error.hint.splitlines():
            print(f"        {line}", file=sys.stderr)
