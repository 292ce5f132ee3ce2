"""A run is a folder that explains itself: the recipe, the data, the versions, and all results.

RUN/recipe.json         the recipe as it was resolved
RUN/plan.json           the plan that was asked for
RUN/environment.json    versions, seed, commit, device, the data and the digest of its manifest
RUN/manifest.parquet    every video, its health, labels and source
RUN/status.json         running, done, failed or interrupted; where; for how long; why
RUN/failures.jsonl      videos that could not be read in training, a line each; not there where all could
RUN/phases/01-NAME/     metrics.jsonl, checkpoint.pt, tower-VIEW.safetensors, phase.json
RUN/evaluations/        one result a file
RUN/report.html         the page, and report.json
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kinema.core.devices import chosen_device
from kinema.core.errors import RunError, StorageError
from kinema.core.files import storage_error, write_in_place, write_json, write_text
from kinema.core.lock import LOCK, alone, is_free, is_held
from kinema.core.reading import (
    parse_json,
    read_bounded,
    read_object,
    read_shape,
    reason_of,
    shaped,
    shortened,
)
from kinema.core.results import Result
from kinema.core.threads import facts
from kinema.core.version import RELEASE, source_version
from kinema.training.run_shapes import SHAPES, EvaluationDetails

_DAMAGED = "The run folder is damaged: put back a copy of the file, or train again."

BEGINNING = ".kinema.beginning"
"""A file that is in a run's folder while it is being begun."""


class RunFolder:
    """Reads and writes one run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def free(cls, path: Path) -> RunFolder:
        """A place for a new run; nothing is written yet.

        Raises:
            RunError: there is something at ``path`` already; nothing of it is touched.
        """
        if not is_free(path) and not cls(path)._half_begun():
            is_run = (path / "recipe.json").exists()
            raise RunError(
                f"'{path}' exists and is {'a run' if is_run else 'not empty'}; nothing was changed.",
                "Choose another --out" + (", or add --resume to go on with a run that was stopped." if is_run else "."),
            )
        return cls(path)

    def _half_begun(self) -> bool:
        """Whether a run was begun here by a process that was killed before there was a recipe."""
        return (self.path / BEGINNING).is_file() and not (self.path / "recipe.json").exists()

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Marks the folder, which this process holds, until it has a recipe: what has none then can be begun again.

        Raises:
            RunError: another process has begun a run there since it was looked at.
            StorageError: the folder cannot be written. What was written of the run is taken away again.
        """
        RunFolder.free(self.path)
        marker = self.path / BEGINNING
        try:
            write_text(marker, "A run is being begun here; a folder with this file and no recipe.json is none yet.\n")
            yield
            marker.unlink()
        except BaseException:
            if not (self.path / "recipe.json").exists():
                self._take_away()
            raise

    def _take_away(self) -> None:
        """Removes what was begun, and keeps the lock."""
        for each in self.path.iterdir():
            if each.name == LOCK:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                with suppress(OSError):
                    each.unlink()

    def create(self) -> None:
        """Makes the folder.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            (self.path / "phases").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error

    def held(self) -> AbstractContextManager[None]:
        """Keeps other processes from training in the folder; raises like :func:`kinema.core.lock.alone`."""
        return alone(self.path, "training")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A run that exists.

        Raises:
            RunError: there is no run at ``path``.
        """
        if not (path / "recipe.json").is_file():
            reason = "has no recipe.json" if path.is_dir() else "does not exist"
            if cls(path)._half_begun():
                raise RunError(
                    f"'{path}' is not a run yet: it was stopped before there was anything to go on with.",
                    "Run the same command without --resume.",
                )
            raise RunError(f"'{path}' is not a run: it {reason}.", "Name the folder that 'kinema pretrain' wrote.")
        return cls(path)

    @classmethod
    def begun(cls, path: Path) -> RunFolder:
        """A run to go on with.

        Raises:
            RunError: there is no run at ``path``, or nothing at all: then it was stopped before it was begun.
        """
        if is_free(path):
            raise RunError(f"Nothing was begun in '{path}' yet.", "Run the same command without --resume.")
        return cls.open(path)

    def phase(self, number: int, name: str) -> Path:
        """The folder of one phase."""
        return self.path / "phases" / f"{number:02d}-{name}"

    def phases(self) -> list[Path]:
        """The folders of all phases that were started, in order."""
        return sorted(p for p in (self.path / "phases").glob("*") if p.is_dir())

    def weights_digest(self) -> str:
        """SHA-256, in hexadecimal, of the run's saved towers, the latest of each view; empty where it has none.

        Raises:
            RunError: one cannot be read.
        """
        latest = {file.name: file for phase in self.phases() for file in sorted(phase.glob("tower-*.safetensors"))}
        digest = hashlib.sha256()
        for name, file in sorted(latest.items()):
            try:
                with file.open("rb") as weights:
                    digest.update(f"{name} {hashlib.file_digest(weights, 'sha256').hexdigest()}\n".encode())
            except OSError as error:
                raise RunError(
                    f"'{file}' cannot be read: {error}.", "The run folder is damaged; train again."
                ) from error
        return digest.hexdigest() if latest else ""

    @property
    def manifest_path(self) -> Path:
        """The run's manifest."""
        return self.path / "manifest.parquet"

    def read(self, name: str) -> dict[str, Any]:
        """One of the run's JSON files; empty where it is not there.

        Raises:
            RunError: the file is damaged, or a key of it is not what it must be (:mod:`kinema.training.run_shapes`).
        """
        file = self.path / name
        if not file.exists():
            return {}
        value = read_object(file, hint=_DAMAGED)
        if file.name in SHAPES:
            shaped(value, SHAPES[file.name], f"'{file}'", hint=_DAMAGED)
        return value

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes one of the run's JSON files atomically."""
        write_json(self.path / name, value)

    def update_status(self, **changes: Any) -> None:
        """Merges ``changes`` into status.json, in the room that it has where the disk is full."""
        status = {**self.read("status.json"), **changes}
        try:
            self.write("status.json", status)
        except StorageError:
            write_in_place(self.path / "status.json", json.dumps(status, indent=2, ensure_ascii=False) + "\n")

    def status(self) -> dict[str, Any]:
        """What is known of the run's training: status.json, but that one which was killed is not running.

        Raises:
            RunError: the file is damaged.
        """
        status = self.read("status.json")
        if status.get("state") == "running" and is_held(self.path) is False:
            killed = (
                "It ended without a word: the process was killed, or the machine stopped. The last checkpoint is kept."
            )
            status |= {"state": "interrupted", "error": killed}
        return status

    def add_result(self, result: Result) -> Path:
        """Writes a result to a file that is named after what it measures; an earlier one of the same is replaced.

        The name holds protocol, preset, encoder, view, the selection of queries, and the gallery where it was chosen.
        Where another measurement has that name, of other data for instance, a few digits are added to it.
        """
        details = result.details
        against = f"against-{details['against']}" if details.get("against") else ""
        parts = (result.protocol, result.preset, result.encoder, result.view, details.get("selection", ""), against)
        name = "-".join(part for part in parts if part)
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        path = self._file_of(result, safe)
        write_json(path, asdict(result))
        return path

    def _file_of(self, result: Result, name: str) -> Path:
        """The first place that is free or holds the same measurement: NAME, or NAME and a digest of what it is."""
        path = self.path / "evaluations" / f"{name}.json"
        if not path.exists():
            return path
        try:
            held = read_result(path)
        except RunError:  # no result can be read from it, so none is lost
            return path
        if _identity(held) == _identity(result) and (held.digest == result.digest or held.data == result.data):
            return path
        identity = json.dumps([*_identity(result), result.data], ensure_ascii=False)
        return path.with_name(f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}.json")

    def results(self) -> Iterator[Result]:
        """All saved results, by name.

        Raises:
            RunError: one is damaged; the message names the file.
        """
        for file in sorted((self.path / "evaluations").glob("*.json")):
            yield read_result(file)

    def metrics(self, phase: Path) -> list[dict[str, Any]]:
        """The lines of a phase's metrics.jsonl; a last line cut short by a crash is left out.

        Raises:
            RunError: a line is damaged, or holds something else than named numbers.
        """
        file = phase / "metrics.jsonl"
        if not file.exists():
            return []
        lines = read_bounded(file, hint=_DAMAGED).split(b"\n")
        rows = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                rows.append(_metrics_row(parse_json(line)))
            except ValueError as error:
                if number < len(lines):  # what a crash cut short has no end of a line
                    raise RunError(f"'{file}' line {number} is damaged: {reason_of(error)}.", _DAMAGED) from error
        return rows


def read_result(file: Path) -> Result:
    """A result in a file.

    Raises:
        RunError: it is damaged; the message names the file and the key.
    """
    hint = "Remove it and evaluate again."
    result = read_shape(file, Result, hint=hint)
    shaped(result.details, EvaluationDetails, f"'{file}', in its details,", hint=hint)
    return result


def _metrics_row(value: Any) -> dict[str, Any]:
    """Raises a ValueError where a line is no object of numbers by name, beside 'phase' and 'event'."""
    if not isinstance(value, dict):
        raise ValueError("it holds no object")
    for key, item in value.items():
        if key in ("phase", "event"):
            right = isinstance(item, str)
        else:
            right = item is None or (isinstance(item, int | float) and not isinstance(item, bool))
            right |= isinstance(item, dict) and all(map(_are_figures, item.values()))
        if not right or (item is None and key in ("epoch", "step")):
            raise ValueError(f"'{shortened(key)}' is {shortened(repr(item))}")
    if value.get("event") == "epoch" and "epoch" not in value:
        raise ValueError("it has no 'epoch'")
    return value


def _are_figures(value: Any) -> bool:
    """Whether it is what is measured of one class: numbers by name."""
    return isinstance(value, dict) and all(item is None or type(item) in (int, float) for item in value.values())


def _identity(result: Result) -> tuple[str, ...]:
    """What was measured, by which protocol, on which selections; the data aside."""
    details = (str(result.details.get(key) or "") for key in ("selection", "against", "fit"))
    return (result.protocol, result.preset, result.encoder, result.view, *details)


def environment(seed: int, device: str) -> dict[str, Any]:
    """Versions and machine, as far as they can change a result, and what shares it out (:mod:`kinema.core.threads`)."""
    import torch

    return {
        "kinema": RELEASE,
        "commit": source_version(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        **facts(),
        "device": device_name(device),
        "seed": seed,
    }


def device_name(device: str) -> str:
    """What trains under a device's name, 'auto', 'cpu', 'cuda', …, as a person would say it."""
    import torch

    chosen = chosen_device(device)
    if chosen.startswith("cuda"):
        return str(torch.cuda.get_device_name(chosen))
    return "CPU" if chosen == "cpu" else chosen
