"""Mining: would the positives that a run's encoders mine among its training videos be of the same class?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinema.core.errors import ConfigError
from kinema.core.protocol import Metric, Protocol, Tracked
from kinema.core.results import Result

if TYPE_CHECKING:
    from kinema.data.clips.reader import Model
    from kinema.mining import CascadeSettings
    from kinema.protocols.request import Request
    from kinema.training.run_folder import RunFolder
    from kinema.training.settings import Phase, Recipe


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


def measure(request: Request) -> list[Result]:
    """Every training video asks all others of other recordings, by the projections of the trained towers.

    Raises:
        DataError: a label is missing.
        ConfigError: the cascade cannot keep k of so few videos.
    """
    import torch

    from kinema.evaluation import MiningMeter
    from kinema.mining import cascade, cascade_sizes
    from kinema.protocols.labels import label_numbers
    from kinema.protocols.parts import training_videos
    from kinema.protocols.record import record

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
    preset, measured_on = f"n{len(sizes)}-r{how.keep:g}-k{how.k}", (videos, videos)
    return [
        record(
            request, MINING.name, preset, metrics, details, began=began, measured_on=measured_on, digest=videos.digest
        )
    ]


MINING: Protocol[Request] = Protocol(
    name="mining",
    title="Mining",
    question="would the positives that are mined be of the same class?",
    explains="While it trains, the method chooses other clips as further positives, without labels. Precision is the "
    "share of those that are of the clip’s own class, mining R@1 that of the first choice, class recall how much of a "
    "class is found.",
    presets={"run": "the cascade of the run itself"},
    metrics={
        "mining_precision": Metric("Mining precision"),
        "mining_r@1": Metric("Mining R@1"),
        "class_mining_recall_median": Metric("Class recall, median"),
        "class_mining_recall_mean": Metric("Class recall, mean"),
        "class_mining_recall_std": Metric("Class recall, spread"),
    },
    main="mining_precision",
    measure=measure,
    needs=("labels", "a run that mines"),
    tracked=(
        Tracked("mining_precision", "Mining precision", "share of mined clips that are of the same class"),
        Tracked(
            "class_mining_recall_median",
            "Class mining recall",
            "median over classes of the share of a class that is mined",
        ),
    ),
    untracked="No phase here has mining figures: nothing was mined, or the videos carry no labels to judge it by.",
)


def _cascade_of(model: Model) -> Cascade:
    """The cascade of the model's run, where it has one that mines for the model's view."""
    from kinema.recipes.json import recipe_from_plain
    from kinema.recipes.table import leading
    from kinema.training.run_folder import RunFolder

    if model.run is None:
        return Cascade()
    folder = RunFolder.open(model.run)
    recipe = recipe_from_plain(folder.read("recipe.json"))
    per_epoch = [row for path in folder.phases() for row in folder.metrics(path) if "mining_precision" in row]
    mined = [phase for phase in recipe.phases if hasattr(leading(phase.method), "cascade")]
    if not mined or leading(mined[-1].method).view != model.view:
        return Cascade(per_epoch=per_epoch)
    settings: CascadeSettings = leading(mined[-1].method).cascade
    guide = _guide(folder, recipe, mined[-1], settings.guide)
    return Cascade(guide, len(settings.sizes), settings.keep, settings.sizes[-1], per_epoch)


def _guide(folder: RunFolder, recipe: Recipe, phase: Phase, view: str) -> Model:
    """The frozen tower that guided a phase of mining."""
    from kinema.core.method import TrainingContext
    from kinema.training.checkpoints import read_tower
    from kinema.training.trainer import build_method, tower_of

    method = build_method(recipe, phase, TrainingContext(2, 2))
    method.start({view: read_tower(tower_of(phase.start[view], view, recipe, folder))})
    model: Model = recipe.data.reader(method.towers()[view], view, name="guide", seed=recipe.seed)
    return model
