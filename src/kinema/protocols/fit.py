"""A classifier trained on clips, from an encoder's weights on.

Training is a run in a folder of its own, which explains itself and can be resumed like any other. Some recordings are
held out of training, and the epoch that does best on them is kept; where none can be spared, the last one is. Nothing
here is ever given the videos of the test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor

from kinema.core.devices import chosen_device
from kinema.core.errors import ConfigError, RunError
from kinema.core.files import write_json
from kinema.core.method import Method, TrainingContext, load_strictly
from kinema.core.progress import Shown
from kinema.core.reading import read_shape
from kinema.data import ClipDataset, ClipRequest, ClipStore, Manifest, collate, evaluation_windows
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.module import LoadedClips
from kinema.data.clips.reader import Model
from kinema.data.clips.transforms import TransformConfig, ViewTransform
from kinema.evaluation import few, hold_out
from kinema.methods import SupervisedConfig
from kinema.methods.supervised import Supervised
from kinema.protocols.features import OpenStore, whole_store
from kinema.recipes.json import phase_identity, recipe_to_plain
from kinema.training.checkpoints import read_tower, write_tower
from kinema.training.run_folder import RunFolder, environment
from kinema.training.settings import OptimiserConfig, Phase, Recipe
from kinema.training.stopping import going_on_by_itself
from kinema.training.trainer import Job, build_method, train


def _leaves(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings within settings, by their dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in _leaves(value))
        else:
            yield name, value


START = "start"
"""The folder, in the run's, of the weights that training starts from."""


@dataclass(frozen=True)
class FitConfig:
    """How the classifier is trained and tested.

    Args:
        epochs: passes over the training videos.
        min_steps: optimiser steps at least; few videos are passed over more often until there are as many.
        validation: share of the labelled videos that is held out by recording, to choose the epoch by; 0: the last.
        dropout: share of the features dropped before the classifier.
        smoothing: label smoothing.
        optimiser: the optimiser; ``layer_decay`` says how much slower each stage learns than the one after it.
        transform: augmentations; ``flip=0`` also leaves the mirrored ones out of the ten crops.
        batch_size: clips a step.
        clips_per_video: clips a video an epoch.
        crops: 'ten' crops a window at the test, or its 'centre' alone.
        seed: decides which videos are drawn and held out, the classifier's start, order and augmentations.
    """

    epochs: int = 30
    min_steps: int = 400
    validation: float = 0.2
    dropout: float = 0.5
    smoothing: float = 0.0
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(lr=1e-3, layer_decay=0.75))
    transform: TransformConfig = field(default_factory=lambda: TransformConfig(area_min=0.5, jitter_p=0.5, blur_p=0.0))
    batch_size: int = 16
    clips_per_video: int = 1
    crops: Literal["ten", "centre"] = "ten"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise ConfigError(f"fit.validation is {self.validation}; it must be at least 0 and below 1.")
        if self.epochs < 1:
            raise ConfigError(f"fit.epochs is {self.epochs}; it must be at least 1.")
        if self.min_steps < 0:
            raise ConfigError(f"fit.min_steps is {self.min_steps}; it must not be negative.")

    @property
    def changes(self) -> str:
        """The settings that are not the usual ones, 'dropout 0.3, optimiser.lr 0.01'; empty where all are."""
        usual, own = (dict(_leaves(asdict(config))) for config in (FitConfig(), self))
        return ", ".join(f"{name} {value}" for name, value in own.items() if value != usual[name])

    def epochs_over(self, videos: int) -> int:
        """Passes over so many training videos: ``epochs``, or as many as ``min_steps`` takes."""
        batches = -(-videos * self.clips_per_video // self.batch_size)
        return max(self.epochs, -(-self.min_steps // batches))


@dataclass(frozen=True)
class Parts:
    """Who is learnt from, and who chooses the epoch.

    Args:
        fit: the videos that are learnt from.
        held_out: those of other recordings that choose the epoch; None where the last one is taken.
    """

    fit: Manifest
    held_out: Manifest | None


def parts_of(training: Manifest, config: FitConfig, share: float) -> Parts:
    """Draws a share of the labelled videos and holds some recordings out of them; the same every time."""
    labels = torch.tensor(training.label_ids())
    rows = few(labels, share, config.seed).tolist() if share != 1 else list(range(len(training)))
    drawn = replace(training, videos=tuple(training.videos[row] for row in rows))
    if not config.validation:
        return Parts(drawn, None)
    held = hold_out(torch.tensor(drawn.label_ids()), torch.tensor(drawn.source_ids()), config.validation, config.seed)
    if not held.any():
        return Parts(drawn, None)
    sides = [
        replace(drawn, videos=tuple(v for v, out in zip(drawn.videos, held.tolist(), strict=True) if out == side))
        for side in (False, True)
    ]
    return Parts(sides[0], sides[1])


def recipe_of(model: Model, config: FitConfig, frozen: bool, epochs: int) -> Recipe:
    """The recipe of the training: one phase that starts from the model's weights."""
    tower = model.tower
    method = SupervisedConfig(
        view=model.view,
        dropout=config.dropout,
        smoothing=config.smoothing,
        frozen=frozen,
        head=tower.head_config,
    )
    name = "linear" if frozen else "finetune"
    optimiser = replace(config.optimiser, layer_decay=1.0) if frozen else config.optimiser
    return Recipe(
        name="supervised",
        phases=(Phase(f"{name}-{model.view}", method, epochs, optimiser, {model.view: START}),),
        view=model.view,
        data=clips_of(model, config),
        encoder=tower.encoder_config,
        batch_size=config.batch_size,
        seed=config.seed,
        collapse_rank=0.0,
    )


def clips_of(model: Model, config: FitConfig) -> ClipsConfig:
    """The clips that a classifier is trained on: the model's, under the augmentations of the training."""
    return ClipsConfig(
        clip=model.clip,
        transform=config.transform,
        clips_per_video=config.clips_per_video,
        sound=model.sound,
    )


@dataclass(frozen=True)
class Fitted:
    """A trained classifier.

    Args:
        method: encoder and classifier, of the epoch that was chosen.
        run: the folder of the training.
        classes: the classes' names, by column of the scores.
        epoch: the epoch, from 1.
        validation: the accuracy on the videos held out, at that epoch; None where none were.
        parts: who was learnt from.
        seconds: of training.
    """

    method: Supervised
    run: RunFolder
    classes: tuple[str, ...]
    epoch: int
    validation: float | None
    parts: Parts
    seconds: float


def fit_classifier(
    model: Model,
    training: Manifest,
    config: FitConfig,
    below: Path,
    *,
    share: float,
    frozen: bool,
    open_store: OpenStore,
    data: str,
    device: str | None = None,
    console: Shown = None,
) -> Fitted:
    """Trains a classifier that starts from a model; goes on where it was stopped.

    Args:
        model: gives the encoder; it is not changed.
        training: labelled videos.
        config: how.
        below: the folder in which the training's own lies; it is named after all that decides the training.
        share: of the training videos that is used, drawn class by class, at least one a class.
        frozen: only the classifier learns.
        open_store: gives the clips of a manifest as the model needs them.
        data: the data as the user named it, for the record.
        device: where to compute; a GPU where there is one, by default.
        console: where progress is shown: of itself on a terminal and in a notebook; False for silence.

    Raises:
        KinemaError: whatever stops the training.
    """
    parts = parts_of(training, config, share)
    accelerator = device or "auto"
    recipe, classes = recipe_of(model, config, frozen, config.epochs_over(len(parts.fit))), parts.fit.classes()
    context, phase = TrainingContext(len(parts.fit), len(classes)), recipe.phases[0]
    build_method(recipe, phase, context)  # what cannot be built says so before anything is written
    run = _begin(model, recipe, parts, folder_of(model, parts, recipe, below), data, accelerator)
    chooser = None if parts.held_out is None else (parts.held_out, whole_store(parts.held_out, model, open_store))
    best = _BestClassifier(run.path, classes, chooser, model)
    with going_on_by_itself(), run.held():
        trained = train(
            Job(
                recipe,
                LoadedClips(clips_of(model, config), whole_store(parts.fit, model, open_store)),
                run,
                context=context,
                digest=parts.fit.digest,
                meter=lambda: None,
                identity=lambda each: phase_identity(recipe, each),
                accelerator=accelerator,
                console=console,
                after_epoch=lambda method, epoch: best.look(method, epoch, last=epoch == phase.epochs - 1),
            )
        )
    method = build_method(recipe, phase, context)
    assert isinstance(method, Supervised)
    chosen = best.record()
    load_strictly(method, read_tower(best.weights), f"'{best.weights}'")
    return Fitted(method.eval(), run, classes, chosen["epoch"] + 1, chosen["validation"], parts, trained.seconds)


class _Record(TypedDict):
    """classifier.json."""

    epoch: int
    validation: float | None
    classes: list[str]


class _BestClassifier:
    """The classifier of the best epoch so far, on disk, so that a training that was stopped goes on knowing it.

    Without videos to choose by it is the last epoch's.
    """

    def __init__(
        self, folder: Path, classes: tuple[str, ...], chooser: tuple[Manifest, ClipStore] | None, model: Model
    ) -> None:
        self.weights, self._record = folder / "classifier.safetensors", folder / "classifier.json"
        self._classes, self._chooser, self._model = classes, chooser, model

    def record(self) -> dict[str, Any]:
        """'epoch' from 0, 'validation', the accuracy that chose it, and 'classes'."""
        hint = f"Remove '{self._record.parent.name}' and evaluate again."
        record: dict[str, Any] = dict(read_shape(self._record, _Record, hint=hint))
        if not set(record["classes"]) == set(self._classes):
            raise RunError(f"'{self._record}' is of other classes.", hint)
        return record

    def look(self, method: Method[Any], epoch: int, *, last: bool) -> Mapping[str, float]:
        """Measures an epoch on the videos held out, and keeps it if none before was as good."""
        assert isinstance(method, Supervised)
        if self._chooser is None:
            if last:
                self._keep(method, epoch, None)
            return {}
        videos, store = self._chooser
        scores = class_scores(method, store, self._model, crops="centre")
        true = torch.tensor([self._classes.index(str(video.label)) for video in videos.videos])
        accuracy = float((scores.argmax(dim=1) == true).double().mean())
        before = self.record() if self._record.exists() else {"epoch": -1, "validation": -1.0}
        if accuracy > before["validation"] or (accuracy == before["validation"] and epoch <= before["epoch"]):
            self._keep(method, epoch, accuracy)
        return {"validation_accuracy": accuracy}

    def _keep(self, method: Supervised, epoch: int, accuracy: float | None) -> None:
        write_tower(self.weights, method)
        write_json(self._record, {"epoch": epoch, "validation": accuracy, "classes": list(self._classes)})


@torch.inference_mode()
def class_scores(
    method: Supervised,
    store: ClipStore,
    model: Model,
    *,
    crops: Literal["ten", "centre"],
    device: str | None = None,
    mirrored: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Each class's probability for whole videos: the mean of the softmax over windows and crops.

    Args:
        method: encoder and classifier.
        store: the clips, made for the model.
        model: says what a clip is, and the view.
        crops: 'ten' a window, or the 'centre' alone.
        device: where to compute; where the method is, by default.
        mirrored: whether the ten crops include the mirrored five.
        progress: called with (videos done, videos).

    Returns:
        Float [N, classes], in the order of the store's rows.

    Raises:
        DataError: a video cannot be read.
    """
    where = torch.device(chosen_device(device)) if device else next(method.parameters()).device
    method.to(where).eval()
    transform = ViewTransform(model.clip, (model.view,), sound=model.sound)
    hears = model.sound_spec is not None
    dataset = ClipDataset(store, failures_allowed=0.0, motion=model.view == "motion", sound=hears)
    rows, found = sorted(store.frames), []
    for number, row in enumerate(rows):
        wanted = ClipRequest(row, evaluation_windows(store.frames[row], model.clip))
        raw = collate([dataset[wanted]]).to(where).split_variants()
        shown = transform.ten_crops(raw, mirrored=mirrored) if crops == "ten" else [transform.evaluate(raw)]
        each = [method.logits(batch.view(0, model.view)).float().softmax(dim=1).mean(dim=0) for batch in shown]
        found.append(torch.stack(each).mean(dim=0).cpu())
        if progress is not None:
            progress(number + 1, len(rows))
    return torch.stack(found)


def folder_of(model: Model, parts: Parts, recipe: Recipe, below: Path) -> Path:
    """Where a training with just these settings, videos and weights lies: doing it again goes on there."""
    plain = recipe_to_plain(recipe)
    plain["data"]["short_videos"] = "error"  # as it was when it was refused: what is trained already has this name
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for part in (parts.fit, parts.held_out):
        digest.update((part.digest if part is not None else "").encode())
    for name, value in sorted(model.tower.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return below / f"{recipe.phases[0].name}-{model.name}-{digest.hexdigest()[:10]}"


def _begin(model: Model, recipe: Recipe, parts: Parts, out: Path, data: str, accelerator: str) -> RunFolder:
    """The folder, with the weights to start from; the recipe is written last: a folder with a recipe is a run."""
    run = RunFolder(out)
    if (out / "recipe.json").exists():
        return run
    run.create()
    write_tower(out / START / f"tower-{model.view}.safetensors", model.tower)
    videos = parts.fit
    settings = {"data": data, "manifest_digest": videos.digest, "videos": len(videos), "classes": len(videos.classes())}
    settings |= {"encoder": model.name, "held_out": 0 if parts.held_out is None else len(parts.held_out)}
    run.write("environment.json", {**environment(recipe.seed, accelerator), **settings})
    videos.write(run.manifest_path)
    run.write("recipe.json", recipe_to_plain(recipe))
    return run
