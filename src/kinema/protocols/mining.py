"""What a run's towers would mine among its training videos."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from kinema.core.errors import ConfigError
from kinema.core.method import TrainingContext
from kinema.core.results import Result
from kinema.data.clips.reader import Model
from kinema.evaluation import MiningMeter
from kinema.methods import CPRConfig
from kinema.mining import cascade, cascade_sizes
from kinema.protocols.labels import label_numbers
from kinema.protocols.parts import training_videos
from kinema.protocols.record import record
from kinema.protocols.request import Request
from kinema.recipes.json import recipe_from_plain
from kinema.recipes.table import leading
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import build_method, tower_of


@dataclass(frozen=True)
class Cascade:
    """How a run mines.

    Args:
        guide: the guide view; None mines by the trained view alone, in one stage.
        stages: n of the cascade.
        keep: r of the cascade.
        k: positives a video.
        per_epoch: the figures of training, an entry an epoch.
    """

    guide: Model | None = None
    stages: int = 1
    keep: float = 0.5
    k: int = 5
    per_epoch: list[dict[str, Any]] = field(default_factory=list)


def measure_mining(request: Request) -> list[Result]:
    """Every training video asks all others of other recordings, by the projections of the trained towers.

    Raises:
        DataError: a label is missing.
        ConfigError: the cascade cannot keep k of so few videos.
    """
    began = time.monotonic()
    videos, model = training_videos(request.manifest, request.gallery), request.model
    how = _cascade_of(model)
    if len(videos) <= how.k:
        raise ConfigError(f"{how.k} positives cannot be mined among {len(videos)} videos.", "Measure on more videos.")
    labels, sources = label_numbers(videos, videos.classes()), torch.tensor(videos.source_ids())
    meter = MiningMeter(labels, sources.numpy(), videos.classes())
    z = request.extract(model, videos).projected
    scores = z @ z.T
    guides = scores if how.guide is None else (g := request.extract(how.guide, videos).projected) @ g.T
    sizes = (how.k,) if how.guide is None else cascade_sizes(len(videos), how.keep, how.stages, how.k)
    meter.update(torch.arange(len(videos)), cascade((guides, scores), sizes, excluded=sources[:, None] == sources))
    metrics = meter.figures()
    details: dict[str, Any] = {"guide": None if how.guide is None else how.guide.view, "sizes": list(sizes)}
    details |= {"per_epoch": how.per_epoch, "per_class": metrics.pop("mining_per_class", {})}
    preset, asked = f"n{len(sizes)}-r{how.keep:g}-k{how.k}", (videos, videos)
    told = record(request, "mining", preset, metrics, details, began=began, asked=asked, digest=videos.digest)
    return [told]


def _cascade_of(model: Model) -> Cascade:
    """The cascade of the model's run, where it has one that mines for the model's view."""
    if model.run is None:
        return Cascade()
    folder = RunFolder.open(model.run)
    recipe = recipe_from_plain(folder.read("recipe.json"))
    per_epoch = [row for path in folder.phases() for row in folder.metrics(path) if "mining_precision" in row]
    phase = next((p for p in reversed(recipe.phases) if isinstance(leading(p.method), CPRConfig)), None)
    if phase is None or leading(phase.method).view != model.view:
        return Cascade(per_epoch=per_epoch)
    method: CPRConfig = leading(phase.method)
    sizes = method.resolved_sizes()
    guide = _guide(folder, recipe, phase, method.guide)
    return Cascade(guide, len(sizes), method.keep, sizes[-1], per_epoch)


def _guide(folder: RunFolder, recipe: Recipe, phase: Phase, view: str) -> Model:
    """The frozen tower that guided a phase of mining."""
    method = build_method(recipe, phase, TrainingContext(2, 2))
    method.start({view: read_tower(tower_of(phase.start[view], view, recipe, folder))})
    model: Model = recipe.data.reader(method.towers()[view], view, name="guide", seed=recipe.seed)
    return model
