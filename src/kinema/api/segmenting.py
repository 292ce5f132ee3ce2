"""The Python face of ``kinema segment``: from footage to steps with their times."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kinema.api.evaluation import evaluate
from kinema.api.models import load
from kinema.api.opening import Data, open_named
from kinema.api.pretraining import pretrain
from kinema.core.devices import chosen_device
from kinema.core.errors import DataError, StorageError, UsageError
from kinema.core.files import storage_error
from kinema.core.guesses import choose_from
from kinema.core.lock import held
from kinema.core.progress import Shown, Steps
from kinema.core.results import Result
from kinema.data import Manifest
from kinema.data.clips.reader import Model
from kinema.data.sequences.reading import read_sequences
from kinema.data.sequences.table import Sequences
from kinema.data.video.files import claims_video
from kinema.data.video.scanning import read_videos
from kinema.recipes.plan import Plan
from kinema.recipes.table import preset as preset_plan
from kinema.segmenting.features import FeatureSettings, Moments, make_features
from kinema.segmenting.formats import format_of, write_segments
from kinema.segmenting.segmentation import PLACE, Segmentation, name_steps, writing
from kinema.segmenting.steps import Found, in_order, segments_of, steps_of
from kinema.training.run_folder import RunFolder
from kinema.training.stopping import going_on_by_itself

log = logging.getLogger(__name__)

Order = Literal["fixed", "varied"]
ORDERS: Mapping[str, str] = {
    "fixed": "steps that come in one order in every video, each of them once: an assembly, a recipe (TOT)",
    "varied": "steps that may come in any order, be left out, or return: a gym, a shop floor (ASOT)",
}
"""What is known of the order of steps."""


@dataclass(frozen=True)
class SegmentedFootage:
    """What :func:`segment` found.

    Args:
        segmentation: videos, segments and steps.
        path: the file that keeps it.
        model: the run of the steps' model; None where steps were only named.
        results: measured against labels of frames, where there were any.
        files: what was written beside.
        seconds: how long it took.
    """

    segmentation: Segmentation
    path: Path
    model: Path | None = None
    results: tuple[Result, ...] = ()
    files: tuple[Path, ...] = ()
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        made = self.segmentation
        steps: list[dict[str, Any]] = [
            {"number": s.number, "name": s.name, "seconds": s.seconds, "typical": [vars(each) for each in s.typical]}
            for s in made.steps
        ]
        counts = {"videos": len(made.videos), "segments": sum(len(video.segments) for video in made.videos)}
        places: dict[str, Any] = {"path": str(self.path), "files": [str(file) for file in self.files]}
        places["model"] = None if self.model is None else str(self.model)
        measured = {"metrics": dict(self.results[0].metrics)} if self.results else {}
        return {
            **places,
            **counts,
            "steps": steps,
            "left_out": dict(made.left_out),
            **measured,
            "seconds": self.seconds,
        }


def segment(
    run: str | PathLike[str] | Model,
    videos: Data | None = None,
    *,
    steps: int | None = None,
    order: Order = "fixed",
    out: str | Path | None = None,
    work: str | Path | None = None,
    names: Mapping[int, str] | None = None,
    rate: float = 4.0,
    background: float = 0.0,
    labels: str | Path | None = None,
    leave_out: Sequence[str] = (),
    view: str | None = None,
    untrained: bool = False,
    epochs: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: str | None = None,
    console: Shown = None,
) -> SegmentedFootage:
    """Divides footage of one activity into steps, without a label.

    The encoder of ``run`` gives features some times a second; a model of the steps is learnt on them
    (:mod:`kinema.methods.tot`), and every video is cut into segments. What is slow is kept in ``work``: after an
    interruption call it again, and other settings use the features that are there.

    Args:
        run: a run on clips, its exported folder, or its model.
        videos: a folder, a known data set as NAME:PATH, a manifest, or one video. None to name steps that were found
            before, or to write them in another format.
        steps: how many steps the activity has.
        order: 'fixed' or 'varied', see :data:`ORDERS`.
        out: a file of the segments: .csv, .json, .vtt or .eaf; see :mod:`kinema.segmenting.formats`.
        work: the folder of features, models and segments; RUN/segments by default.
        names: of steps, by number.
        rate: features a second.
        background: share of all moments that belong to no step, those that fit worst; with the order 'fixed' only.
        labels: a folder of NAME.txt, a label a line for each frame of a video, to measure the steps by.
        leave_out: labels of frames that are no step, for the measurement.
        view: which view's encoder of a run; by default the one it is for.
        untrained: use the encoder as it was before training, to compare with.
        epochs: of the steps' model; by default 60 with the order 'fixed' and 30 with 'varied'.
        seed: of the steps' model.
        batch_size: clips at a time.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        UsageError: settings that are missing or contradict one another.
        DataError: no video can be segmented, or there are fewer moments than steps.
        TrainingError: the steps collapsed into one.
        StorageError: something cannot be written.
    """
    began = time.monotonic()
    chosen_device(device)
    if out is not None:
        format_of(out)
    folder = _place(run, work)
    path = folder / Path(PLACE).name
    if videos is None:
        if steps is not None:
            raise UsageError("Steps can only be found in videos.", "Name the videos: kinema segment RUN VIDEOS.")
        made = name_steps(path, names) if names else Segmentation.read(path)
        return _finished(made, path, out, began)
    if steps is None or steps < 1:
        raise UsageError(f"steps is {steps}; it is not known how many steps the activity has.", "Say so: --steps 7.")
    if order not in ORDERS:
        raise UsageError(f"There is no order '{order}'.", choose_from(order, ORDERS))
    if background and order != "fixed":
        raise UsageError("A background is told apart with the order 'fixed' only.", "Leave background out.")
    unknown = [number for number in names or {} if not 1 <= number <= steps]
    if unknown:
        raise UsageError(f"There is no step {unknown[0]} among {steps}.", "Steps are numbered from 1.")
    model = _encoder(run, view, untrained)
    settings = FeatureSettings.of(model, rate)
    manifest = _opened(videos)
    truths = {} if labels is None else label_files(Path(labels), manifest)
    with _working(folder):
        place = folder / f"features-{settings.key}"
        with Steps("encoding", console) as progress:
            moments, left_out = make_features(
                model, manifest, place, settings, batch_size=batch_size, device=device, progress=progress
            )
        for name, reason in left_out.items():
            log.warning("'%s' is left out: %s.", name, reason)
        table = feature_table(place, moments, truths, labels)
        plan = _plan(steps, order, background, rate, epochs, seed)
        learnt = _learnt(folder, table, plan, device, console)
        found = _found(learnt, table, moments, device)
        numbers = in_order(found, steps)
        made = Segmentation(
            manifest.root,
            tuple(segments_of(each, numbers) for each in found),
            steps_of(found, numbers),
            {**_said(model, settings, plan, untrained), "clusters": steps, "order": order},
            left_out,
        )
        if len(numbers) < steps:
            log.warning("Only %d of %d steps were found in the videos.", len(numbers), steps)
        with writing(path):
            made = _renamed(made, path, names)
            made.write(path)
    results: tuple[Result, ...] = ()
    if labels is not None:
        results = tuple(
            evaluate("segmentation", learnt, table, background=leave_out or None, device=device, console=console)
        )
    return _finished(made, path, out, began, model=learnt, results=results)


def _working(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes from making features and models in the same folder; naming steps goes on.

    Raises:
        StorageError: another process is at it.
    """

    def taken(who: str) -> StorageError:
        return StorageError(
            f"Another process (number {who}) is finding steps in '{folder}'; nothing was changed.",
            "Wait until it has ended, or choose another folder with --work.",
        )

    return held(folder / "work.lock", taken)


def _place(run: str | PathLike[str] | Model, work: str | Path | None) -> Path:
    if work is not None:
        return Path(work)
    place = run.run if isinstance(run, Model) else Path(run)
    if place is None:
        raise UsageError("The model belongs to no run, so there is no place for what is made.", "Name one: work=…")
    return place / Path(PLACE).parent


def _encoder(run: str | PathLike[str] | Model, view: str | None, untrained: bool) -> Model:
    model = run if isinstance(run, Model) else load(run, view=view, untrained=untrained)
    if not isinstance(model, Model):
        raise UsageError(
            f"'{run}' reads {model.unit}, and footage is read by an encoder of clips.",
            "Pretrain one on the footage: kinema pretrain cpr VIDEOS --out RUN. "
            "Steps of features that are there already are learnt by `kinema pretrain tot FEATURES`.",
        )
    return model


def _opened(videos: Data) -> Manifest:
    if isinstance(videos, str | Path) and Path(videos).is_file() and claims_video(str(videos)):
        file = Path(videos).resolve()
        return Manifest(root=file.parent, videos=tuple(read_videos(file.parent, [file.name], workers=1)))
    return open_named(videos)


def label_files(labels: Path, manifest: Manifest) -> dict[str, Path]:
    """The file of labels of each video: of its path below the folder, or of its name where only one video has it.

    Raises:
        DataError: a video has none.
    """
    folder = labels.resolve()
    paths = [video.path for video in manifest.videos if video.health != "unreadable"]
    names = Counter(Path(path).stem for path in paths)
    found = {}
    for path in paths:
        own = Path(path).with_suffix(".txt")
        places = [own, Path(own.name)] if names[own.stem] == 1 else [own]
        there = next((folder / place for place in places if (folder / place).is_file()), None)
        if there is not None:
            found[path] = there
    missing = [path for path in paths if path not in found]
    if missing:
        wanted = Path(missing[0]).with_suffix(".txt")
        raise DataError(
            f"{len(missing)} of {len(paths)} videos have no labels in '{labels}', for instance '{missing[0]}'.",
            f"They are read from the file of the same path, here {wanted}, a label a line for each frame.",
        )
    return found


def feature_table(
    place: Path, moments: Mapping[str, Moments], truths: Mapping[str, Path], labels: str | Path | None
) -> Sequences:
    """The features of these videos as a table, with the files of their labels where there are any."""
    table = read_sequences(place, activity="none")
    rows = [row for row in table.rows if row.name in moments]
    if labels is None:
        return replace(table, rows=tuple(rows))
    folder = Path(labels).resolve()
    mapping = next((file for file in (folder / "mapping.txt", folder.parent / "mapping.txt") if file.is_file()), None)
    labelled = tuple(replace(row, truth=str(truths[row.name])) for row in rows)
    return replace(table, rows=labelled, mapping="" if mapping is None else str(mapping))


def _plan(steps: int, order: str, background: float, rate: float, epochs: int | None, seed: int) -> Plan:
    """The plan of the steps' model."""
    plan = preset_plan("small", "tot")
    config: Any = plan.method
    if order == "varied":
        config = replace(config, form="asot", clusters=steps)
    else:
        tot = replace(config.tot, background=background, window=max(1, round(rate)))  # pairs within a second
        config = replace(config, clusters=steps, tot=tot)
    return replace(
        plan, method=config, epochs=(30 if order == "varied" else plan.epochs) if epochs is None else epochs, seed=seed
    )


def _learnt(folder: Path, table: Sequences, plan: Plan, device: str | None, console: Shown) -> Path:
    """The run of the steps' model: the one that is there for these features and settings, or gone on with, or new."""
    config: Any = plan.method
    said = json.dumps([table.digest, repr(config), plan.epochs, plan.seed])
    run = folder / "models" / hashlib.sha256(said.encode()).hexdigest()[:12]
    again = (run / "recipe.json").is_file()
    if again and RunFolder.open(run).read("status.json").get("state") == "done":
        return run
    method: Any = "tot" if again else plan
    with going_on_by_itself():
        pretrain(method, table, run, resume=again, logger="none", console=console, device=device or "auto")
    return run


def _found(run: Path, table: Sequences, moments: Mapping[str, Moments], device: str | None) -> list[Found]:
    reader = load(run)
    segmented = reader.segment(table, device=device)
    embedded = reader.encode([np.asarray(table.features(row)) for row in range(len(table))], device=device)
    return [
        Found(row.name, moments[row.name], each.steps, z)
        for row, each, z in zip(table.rows, segmented, embedded, strict=True)
    ]


def _said(model: Model, settings: FeatureSettings, plan: Plan, untrained: bool) -> dict[str, Any]:
    """What the segments were made with."""
    encoder = {"encoder": model.name, "view": model.view, "untrained": untrained, "rate": settings.rate}
    return {**encoder, "epochs": plan.epochs, "seed": plan.seed}


def _renamed(made: Segmentation, path: Path, names: Mapping[int, str] | None) -> Segmentation:
    """The segmentation with names: those that are given, and those that equal segments had before."""
    before: dict[int, str] = {}
    former = _former(path)
    if former is not None:
        if former.videos == made.videos:
            before = {step.number: step.name for step in former.steps if step.name}
        elif lost := [step.name for step in former.steps if step.name]:
            kept = path.with_name(f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}.json")
            former.write(kept)
            log.warning(
                "The segments differ from those before, so that these names are not kept: %s. The former ones are in "
                "'%s'.",
                ", ".join(lost[:5]),
                kept,
            )
    chosen = {**before, **(names or {})}
    return made.renamed(chosen) if chosen else made


def _former(path: Path) -> Segmentation | None:
    """The segments of before; None where there are none. A damaged file is put aside, for it would stop every run."""
    if not path.is_file():
        return None
    try:
        return Segmentation.read(path)
    except DataError as error:
        aside = path.with_name(f"{path.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}.json")
        try:
            path.rename(aside)
        except OSError as failure:
            raise storage_error(aside, failure) from failure
        log.warning("%s It was put aside as '%s'; its names are not kept.", error.message, aside)
        return None


def _finished(
    made: Segmentation,
    path: Path,
    out: str | Path | None,
    began: float,
    *,
    model: Path | None = None,
    results: tuple[Result, ...] = (),
) -> SegmentedFootage:
    files = write_segments(made, out) if out is not None else ()
    return SegmentedFootage(made, path, model, results, tuple(files), time.monotonic() - began)
