"""Diagnostics: what can be said of an encoder without labels?

The figures come from :mod:`kinema.evaluation.diagnostics`, which sees arrays only. Names without an ending are of the
encoder's features, which are used afterwards; those that end in ``_projected`` are of the head's, which were trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kinema.core.protocol import Metric, Protocol
from kinema.core.results import Result
from kinema.core.splits import part_of

if TYPE_CHECKING:
    from torch import Tensor

    from kinema.data import Manifest
    from kinema.data.clips.reader import Features, Model
    from kinema.evaluation.diagnostics import Shared
from kinema.protocols.request import Request

SCENE = "scene"
"""The attribute of a manifest that says where a video was taken."""


def measure(request: Request) -> list[Result]:
    """What can be said of the first model without labels; a second one is of another view, for what both share.

    Raises:
        DataError: there are too few videos, or one cannot be read.
    """
    import torch

    from kinema.core.progress import Steps
    from kinema.protocols.record import record

    began, model = time.monotonic(), request.model
    selection, videos = selected_videos(request.manifest, request.query)
    whole, store = request.extract(model, videos), request.open_store(videos, model)

    def features(title: str, **how: Any) -> Features:
        with Steps(f"{model.name} · {model.view} · {title}", request.console) as progress:
            found: Features = model.features(store, device=request.device, progress=progress, **how)
        return found

    apart = torch.tensor([store.frames[row] > store.spec.span for row in sorted(store.frames)])
    first = features("first clips", windows=lambda _: (0,))
    last = features("last clips", windows=lambda frames: (max(0, frames - store.spec.span),))
    metrics = _ranks_and_distances(_level(whole, model), _level(first, model), _level(last, model), apart)
    other = request.models[1] if len(request.models) > 1 else None
    second = None if other is None else request.extract(other, videos).encoded
    stills = None if model.sound_spec is not None else features("stills", still=True).encoded
    shared, own = _shared(whole.encoded, stills, second, videos, model.parts)
    metrics |= {} if own is None else {"still_r@1": own}
    metrics |= {name: figure.share for name, figure in shared.items()}
    details = _details(shared, other, selection, int(apart.sum()))
    measured_on = (videos, videos)
    return [record(request, DIAGNOSTICS.name, request.preset, metrics, details, began=began, measured_on=measured_on)]


DIAGNOSTICS: Protocol[Request] = Protocol(
    name="diagnostics",
    title="Diagnostics",
    question="what can be said of the encoder without labels?",
    explains="Figures that need no labels. They say how an encoder spreads videos out and what it goes by, not "
    "whether it is good; read them beside the untrained encoder’s.",
    presets={"k10-t2": "ranks, distances, and what a video's ten nearest share with it"},
    metrics={
        "rankme": Metric("RankMe", share=False),
        "rankme_projected": Metric("RankMe, projections", share=False),
        "neighbour_overlap": Metric("Neighbours shared with the other view"),
        "still_reliance": Metric("Neighbours kept by a still"),
        "still_r@1": Metric("Stills that find their own video"),
        "same_scene": Metric("Neighbours of the same scene"),
        "alignment": Metric("Alignment", share=False),
        "alignment_projected": Metric("Alignment, projections", share=False),
        "uniformity": Metric("Uniformity", share=False),
        "uniformity_projected": Metric("Uniformity, projections", share=False),
    },
    main="rankme",
    measure=measure,
    models="one and another view",
    joins=True,
)


def selected_videos(manifest: Manifest, where: Mapping[str, str] | None) -> tuple[str, Manifest]:
    """Which videos are measured, with the selection's name.

    Args:
        manifest: the whole data.
        where: selects them; by default the split 'test' where there is one, or all.
    """
    from kinema.protocols.selection import selection_name

    usable = manifest.usable()
    if where is None:
        where = {"split": "test"} if any(part_of(video.split) == "test" for video in usable.videos) else {}
    return selection_name(where) or "all", usable.select(where)


def _shared(
    encoded: Tensor, stills: Tensor | None, second: Tensor | None, videos: Manifest, parts: tuple[int, ...]
) -> tuple[dict[str, Shared], float | None]:
    """The figures of neighbours: of stills, of a second view where there is one, of scenes where they are known.

    The float is ``still_r@1``. A sound has no stills.
    """
    import torch

    from kinema.evaluation import diagnostics

    sources = torch.tensor(videos.source_ids())
    shared: dict[str, Shared] = {}
    own: float | None = None
    if stills is not None:
        shared["still_reliance"], own = diagnostics.still_reliance(encoded, stills, sources, parts=parts)
    if second is not None:
        shared["neighbour_overlap"] = diagnostics.neighbour_overlap(encoded, second, sources, parts=parts)
    scenes = [video.attributes.get(SCENE) for video in videos.videos]
    if all(scenes) and len(set(scenes)) > 1:
        numbers = {scene: number for number, scene in enumerate(dict.fromkeys(scenes))}
        kinds = torch.tensor([numbers[scene] for scene in scenes])
        shared["same_scene"] = diagnostics.same_kind(encoded, kinds, sources, parts=parts)
    return shared, own


def _level(features: Features, model: Model) -> Features:
    """Features of several encoders with parts of one length, as they are compared; of one as they are."""
    from kinema.core.ops import unit_parts

    return features if len(model.parts) == 1 else replace(features, encoded=unit_parts(features.encoded, model.parts))


def _ranks_and_distances(whole: Features, first: Features, last: Features, apart: Tensor) -> dict[str, float]:
    """Ranks of whole videos; distances of single clips. Alignment is of videos with two clips that differ."""
    from kinema.evaluation import diagnostics

    metrics: dict[str, float] = {}
    spaces = (
        ("", whole.encoded, first.encoded, last.encoded),
        ("_projected", whole.projected, first.projected, last.projected),
    )
    for ending, video, one, another in spaces:
        metrics[f"rankme{ending}"] = diagnostics.rankme(video)
        if apart.any():
            metrics[f"alignment{ending}"] = diagnostics.alignment(one[apart], another[apart])
        metrics[f"uniformity{ending}"] = diagnostics.uniformity(one)
    return metrics


def _details(shared: Mapping[str, Shared], other: Model | None, selection: str, pairs: int) -> dict[str, Any]:
    from kinema.evaluation.diagnostics import K, T
    from kinema.protocols.features import WINDOWS

    return {
        "selection": selection,
        "windows": WINDOWS["coclr"],
        "by_chance": {name: figure.chance for name, figure in shared.items()},
        "neighbours_compared": K,
        "t": T,
        "other_view": None if other is None else other.view,
        "alignment_pairs": pairs,
    }
