"""What writers of drawn data sets share: a folder that is claimed, processes that draw, the answers they give.

``dataset.json`` is written first with the state ``partial`` and last with ``complete``; a run that was interrupted goes
on where it stood when it is started again with the same settings.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from kinema.core.config import from_plain, make_strict_converter
from kinema.core.errors import ConfigError, DataError, KinemaError
from kinema.core.files import storage_error, write_json
from kinema.core.reading import load_json
from kinema.core.threads import available_cpus
from kinema.data.workers import command_of

Row = dict[str, str]
"""What is told of a video: columns of ``labels.csv``, and the digest of its frames."""

C = TypeVar("C")


class Settings(Protocol):
    """The settings of a set: a dataclass whose fields all have defaults."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them, as JSON values; the seed among them."""
        ...


@dataclass(frozen=True)
class DrawnSet:
    """A kind of data set that worker processes draw.

    Args:
        name: of the kind, in ``dataset.json``.
        title: the same for messages.
        edition: how it is drawn; it grows where equal settings come to give other files.
        worker: the module that a process runs; it calls :func:`answer`.
    """

    name: str
    title: str
    edition: int
    worker: str

    def card(self, config: Settings, classes: Sequence[str], counts: Mapping[str, Any]) -> dict[str, Any]:
        """What ``dataset.json`` says before the digest is known.

        Args:
            config: the settings.
            classes: names of the classes.
            counts: videos, frames and so on.
        """
        settings = config.record()
        return {
            "name": self.name,
            "edition": self.edition,
            "state": "partial",
            "settings": settings,
            "seed": settings["seed"],
            "versions": {package: version(package) for package in ("kinema", "numpy", "av")},
            "classes": list(classes),
            "counts": counts,
        }

    def make(
        self,
        out: Path,
        config: Settings,
        card: dict[str, Any],
        paths: Sequence[str],
        *,
        most: int,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Row]:
        """Claims the folder and has processes make what belongs into it; what is there already is not made again.

        Args:
            out: the folder.
            config: the settings.
            card: from :meth:`card`; it is written.
            paths: of everything that the processes answer with, in the set's order.
            most: how many processes there is work for.
            workers: processes; every core of the machine where it is None. What is made does not depend on it.
            progress: is called with how many of the paths are done, and of how many.

        Returns:
            A row for each path, in their order.

        Raises:
            ConfigError: fewer than one process is asked for.
            DataError: the folder holds something else, or the same set with other settings or of another edition.
            StorageError: the disk is full, or the place cannot be written.
            KinemaError: what a process could not do, or that one ended.
        """
        shares = count_workers(workers, most)
        claim_folder(out, card, self.title, _plain(type(config)()))
        rows: dict[str, Row] = {}
        for row in run_workers(self.worker, out, _plain(config), shares, self.title):
            rows[row["path"]] = row
            if progress is not None:
                progress(len(rows), len(paths))
        return [rows[path] for path in paths]


def complete(out: Path, card: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Writes that the set is complete, the last of what is written, and gives its digest.

    Args:
        out: the folder.
        card: from :meth:`DrawnSet.card`.
        rows: from :meth:`DrawnSet.make`.

    Returns:
        32 hexadecimal digits, of the paths of all rows and the digests of their frames.
    """
    listed = "\n".join(f"{row['path']} {row['digest']}" for row in rows)
    digest = hashlib.blake2b(listed.encode(), digest_size=16).hexdigest()
    write_json(out / "dataset.json", {**card, "state": "complete", "digest": digest})
    return digest


def _plain(config: Settings) -> dict[str, Any]:
    """All settings as the values that JSON gives back."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain


def count_workers(asked: int | None, most: int) -> int:
    """Processes that draw: as many as asked, or as this process may use processors, and no more than there is work for.

    Raises:
        ConfigError: fewer than one are asked for.
    """
    if asked is not None and asked < 1:
        raise ConfigError(f"workers is {asked}; it must be at least 1.")
    return min(asked or available_cpus(), most)


def claim_folder(out: Path, card: dict[str, Any], title: str, usual: Mapping[str, Any]) -> None:
    """Makes the folder, or checks that what it holds is this set; removes half files of an interrupted run.

    Args:
        out: the folder.
        card: from :meth:`DrawnSet.card`; it is written.
        title: the set's name for messages.
        usual: the settings' defaults, for those that a ``dataset.json`` leaves out.

    Raises:
        DataError: the folder holds something else, or the same set with other settings or of another edition.
        StorageError: the place cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = [item.name for item in out.iterdir()]
    except OSError as error:
        raise storage_error(out, error) from error
    if held and "dataset.json" not in held:
        raise DataError(
            f"'{out}' is not empty and holds no {title} data set.", "Choose a new or empty folder for the data set."
        )
    if held:
        _check_same(out, card, title, usual)
        for half in out.rglob(".*.part"):
            half.unlink(missing_ok=True)
    write_json(out / "dataset.json", card)


def _check_same(out: Path, card: Mapping[str, Any], title: str, usual: Mapping[str, Any]) -> None:
    try:
        found = load_json(out / "dataset.json")
    except (OSError, ValueError):
        found = {}
    settings = found.get("settings", {}) if isinstance(found, dict) and found.get("name") == card["name"] else None
    if not isinstance(settings, dict):
        raise DataError(f"'{out / 'dataset.json'}' is not that of a {title} data set.", "Choose another folder.")
    edition = found.get("edition", 1)
    if edition != card["edition"]:
        raise DataError(
            f"'{out}' holds a {title} data set of edition {edition}, and this version of kinema draws edition "
            f"{card['edition']}.",
            "It can be scanned and trained on as it is; to draw a set, choose another folder.",
        )
    settings, wanted = {**usual, **settings}, {**usual, **card["settings"]}
    other = [key for key in wanted if settings.get(key) != wanted[key]]
    if other:
        differences = ", ".join(f"{key} {settings.get(key)} instead of {wanted[key]}" for key in other)
        raise DataError(
            f"'{out}' holds a {title} data set with other settings: {differences}.",
            "Use the settings it was begun with, or choose another folder.",
        )


def run_workers(module: str, out: Path, settings: Mapping[str, Any], shares: int, title: str) -> Iterator[Row]:
    """The rows that worker processes answer with, in the order in which they finish them.

    Args:
        module: what a process runs; it calls :func:`answer`.
        out: the set's folder.
        settings: of the set, as JSON values.
        shares: processes.
        title: the set's name for messages.

    Raises:
        KinemaError: what a process could not do, or that one ended.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    answers: queue.Queue[Row | int] = queue.Queue()
    workers: list[subprocess.Popen[str]] = []
    try:
        for share in range(shares):
            request = {"out": str(out.resolve()), "config": settings, "share": share, "shares": shares}
            workers.append(_start(module, request, environment))
            threading.Thread(target=_listen, args=(workers[-1], answers), daemon=True).start()
        running = shares
        while running:
            answer = answers.get()
            if isinstance(answer, int):
                running -= 1
                if answer:
                    raise KinemaError(
                        f"A process that makes {title} ended with status {answer}.",
                        "Run the same command again, with fewer workers if the memory is short; it goes on.",
                    )
            elif "error" in answer:
                raise KinemaError(answer["error"], answer["hint"])
            else:
                yield answer
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _start(module: str, request: Mapping[str, Any], environment: dict[str, str]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        command_of(module), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.close()
    return worker


def _listen(worker: subprocess.Popen[str], answers: queue.Queue[Row | int]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        answers.put(json.loads(line))
    answers.put(worker.wait())


def answer(kind: type[C], make: Callable[[Path, C, slice], Iterator[Row]]) -> None:
    """What a worker process does: answers the request on standard input.

    Every line of the answer is a row, or ``{"error", "hint"}`` at the end. Where whoever asked is gone it ends.

    Args:
        kind: the dataclass of the set's settings.
        make: is given the folder, the settings and which of the work is its share; writes it and yields a row a video.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    config = from_plain(request["config"], kind, make_strict_converter(), "the request")
    try:
        for row in make(Path(request["out"]), config, slice(request["share"], None, request["shares"])):
            print(json.dumps(row), flush=True)
    except KinemaError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)
        raise SystemExit(1) from error
    except BrokenPipeError as error:  # who asked was killed; nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from error


def csv_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV, with a header; what is in no column is left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
