"""Runs the diagnostics that need no labels: from a model and its videos to a result.

The figures come from :mod:`kinema.evaluation.diagnostics`, which sees arrays only. Names without an ending are of the
encoder's features, which are used afterwards; those that end in ``_projected`` are of the head's, which were trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from kinema.core.records import Result
from kinema.data import ClipStore, Manifest
from kinema.evaluation import diagnostics
from kinema.evaluation.diagnostics import K, Shared, T
from kinema.model import Features, Model
from kinema.training.run_folder import source_version

PRESET = f"k{K}-t{T:g}"
"""Neighbours that are compared, and uniformity's t."""

SCENE = "scene"
"""The attribute of a manifest that says where a video was taken."""


def diagnosed(manifest: Manifest, where: Mapping[str, str] | None) -> tuple[str, Manifest]:
    """Which videos are measured, with the selection's name.

    Args:
        manifest: the whole data.
        where: selects them; by default the split 'test' where there is one, or all.
    """
    usable = manifest.usable()
    if where is None:
        where = {"split": "test"} if any(video.split == "test" for video in usable.videos) else {}
    return ",".join(f"{key}={value}" for key, value in where.items()) or "all", usable.select(where)


def measure_diagnostics(
    model: Model,
    other: Model | None,
    videos: Manifest,
    extract: Callable[[Model, Manifest], Features],
    *,
    windows: Literal["coclr", "vcop"],
    open_store: Callable[[Manifest, Model], ClipStore],
    progress: Callable[[str], Any],
    device: str | None,
    selection: str,
    data: str,
    digest: str,
) -> Result:
    """What can be said of an encoder without labels.

    Args:
        model: what is measured.
        other: an encoder of another view of the same videos, for the neighbours that both share; or None.
        videos: what it is measured on.
        extract: gives the features of a manifest's videos.
        windows: how a video is cut.
        open_store: gives the clips of a manifest as a model needs them.
        progress: makes a context that shows progress under a title.
        device: where to compute; None for a GPU where there is one.
        selection: which part of the data this is, for the record.
        data: the data as the user named it.
        digest: the whole data's.

    Raises:
        DataError: there are too few videos, or one cannot be read.
    """
    began = time.monotonic()
    whole = extract(model, videos)
    sources = torch.tensor(videos.source_ids())
    store = open_store(videos, model)

    def features(title: str, **how: Any) -> Features:
        with progress(f"{model.name} · {model.view} · {title}") as told:
            return model.features(store, device=device, progress=told, **how)

    span = store.spec.span
    first = features("first clips", windows=lambda _: (0,))
    last = features("last clips", windows=lambda frames: (max(0, frames - span),))
    apart = torch.tensor([store.frames[row] > span for row in sorted(store.frames)])
    metrics = _ranks_and_distances(whole, first, last, apart)
    stills = features("stills", windows=windows, still=True).encoded
    reliance, metrics["still_r@1"] = diagnostics.scene_reliance(whole.encoded, stills, sources)
    shared = {"scene_reliance": reliance}
    if other is not None:
        shared["neighbour_overlap"] = diagnostics.neighbour_overlap(
            whole.encoded, extract(other, videos).encoded, sources
        )
    scenes = [video.attributes.get(SCENE) for video in videos.videos]
    if None not in scenes and len(set(scenes)) > 1:
        numbers = {scene: number for number, scene in enumerate(dict.fromkeys(scenes))}
        kinds = torch.tensor([numbers[scene] for scene in scenes])
        shared["same_scene"] = diagnostics.same_kind(whole.encoded, kinds, sources)
    metrics |= {name: figure.share for name, figure in shared.items()}
    details = _details(shared, other, selection, windows, int(apart.sum()))
    return Result(
        protocol="diagnostics",
        preset=PRESET,
        metrics=metrics,
        encoder=model.name,
        view=model.view,
        data=data,
        digest=digest,
        queries=len(videos),
        gallery=len(videos),
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details=details,
    )


def _ranks_and_distances(whole: Features, first: Features, last: Features, apart: Tensor) -> dict[str, float]:
    """Ranks of whole videos; distances of single clips. Alignment is of videos with two clips that differ."""
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


def _details(
    shared: Mapping[str, Shared], other: Model | None, selection: str, windows: str, pairs: int
) -> dict[str, Any]:
    return {
        "selection": selection,
        "windows": "all along the video, 15/32 of a clip apart" if windows == "coclr" else "ten, spread evenly",
        "by_chance": {name: figure.chance for name, figure in shared.items()},
        "neighbours_compared": K,
        "t": T,
        "other_view": None if other is None else other.view,
        "alignment_pairs": pairs,
    }
