"""Runs a protocol: from a model and a manifest to a result that carries what it was measured on.

The figures themselves come from ``kinema.evaluation``, which sees arrays only; here are the videos, their labels and
the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from kinema.core.errors import ConfigError, DataError
from kinema.core.records import Result
from kinema.data import ClipStore, Manifest
from kinema.evaluation import MiningMeter, retrieve
from kinema.mining import cascade, cascade_sizes
from kinema.model import Features, Model
from kinema.training.run_folder import source_version

Where = Mapping[str, str]
Extract = Callable[[Model, Manifest], Features]
NEIGHBOUR_QUERIES = 12


def measure_retrieval(
    model: Model,
    query: Manifest,
    gallery: Manifest,
    extract: Extract,
    *,
    preset: Literal["coclr", "vcop"],
    selection: str,
    data: str,
    digest: str,
) -> Result:
    """Nearest-neighbour retrieval of whole videos.

    Args:
        model: what is measured.
        query: the videos that ask.
        gallery: the videos that are ranked; a query never finds its own recording.
        extract: gives the features of a manifest's videos.
        preset: 'coclr' or 'vcop'.
        selection: which part of the data asked, for the record.
        data: the data as the user named it.
        digest: the whole data's.

    Raises:
        DataError: a label is missing.
    """
    began = time.monotonic()
    names = sorted({*query.classes(), *gallery.classes()})
    labels = [_labels(part, names) for part in (query, gallery)]
    recordings = sorted({v.source for part in (query, gallery) for v in part.videos})
    number = {source: i for i, source in enumerate(recordings)}
    sources = [np.array([number[v.source] for v in part.videos]) for part in (query, gallery)]
    features = [extract(model, part).encoded for part in (query, gallery)]
    figures = retrieve(
        *features, *labels, preset=preset, query_sources=sources[0], gallery_sources=sources[1], seed=model.seed
    )
    details = {
        "selection": selection,
        "interval": list(figures.interval),
        "chance": figures.chance,
        "windows": "all along the video, 15/32 of a clip apart" if preset == "coclr" else "ten, spread evenly",
        "omitted": [f"r@{k}" for k in figures.omitted],
        "per_class": {names[c]: value for c, value in figures.per_class.items()},
        "neighbours": _neighbours(query, gallery, features, figures.neighbours),
    }
    return _record(model, "retrieval", preset, figures.metrics, details, began, (query, gallery), data, digest)


def measure_mining(
    model: Model,
    guide: Model | None,
    videos: Manifest,
    extract: Extract,
    *,
    stages: int,
    keep: float,
    k: int,
    per_epoch: list[dict[str, Any]],
    data: str,
) -> Result:
    """What the trained towers would mine: every video asks all others of other recordings, by their projections.

    Args:
        model: the trained view.
        guide: the guide view; None mines by the trained view alone, in one stage.
        videos: what is mined among, the training videos.
        extract: gives the features of a manifest's videos.
        stages: n of the cascade.
        keep: r of the cascade.
        k: positives a video.
        per_epoch: the figures of training, an entry an epoch, for the record.
        data: the data as the user named it.

    Raises:
        DataError: a label is missing.
        ConfigError: the cascade cannot keep k of so few videos.
    """
    began = time.monotonic()
    if len(videos) <= k:
        raise ConfigError(f"{k} positives cannot be mined among {len(videos)} videos.", "Measure on more videos.")
    labels, sources = _labels(videos, list(videos.classes())), torch.tensor(videos.source_ids())
    z = extract(model, videos).projected
    scores = z @ z.T
    guides = scores if guide is None else (g := extract(guide, videos).projected) @ g.T
    sizes = (k,) if guide is None else cascade_sizes(len(videos), keep, stages, k)
    meter = MiningMeter(labels, sources.numpy(), videos.classes())
    meter.update(torch.arange(len(videos)), cascade((guides, scores), sizes, excluded=sources[:, None] == sources))
    metrics = meter.figures()
    details = {"guide": None if guide is None else guide.view, "sizes": list(sizes), "per_epoch": per_epoch}
    details["per_class"] = metrics.pop("mining_per_class", {})
    return _record(
        model, "mining", f"n{len(sizes)}-r{keep:g}-k{k}", metrics, details, began, (videos, videos), data, videos.digest
    )


def _record(
    model: Model,
    protocol: str,
    preset: str,
    metrics: Mapping[str, float],
    details: Mapping[str, Any],
    began: float,
    asked: tuple[Manifest, Manifest],
    data: str,
    digest: str,
) -> Result:
    """Figures with all that they were measured on."""
    return Result(
        protocol=protocol,
        preset=preset,
        metrics=dict(metrics),
        encoder=model.name,
        view=model.view,
        data=data,
        digest=digest,
        queries=len(asked[0]),
        gallery=len(asked[1]),
        seed=model.seed,
        commit=source_version(),
        seconds=time.monotonic() - began,
        details=details,
    )


def extractor(
    *,
    windows: Literal["coclr", "vcop"],
    open_store: Callable[[Manifest, Model], ClipStore],
    progress: Callable[[str], Any],
    device: str | None,
) -> Extract:
    """Extracts features of manifests, each once a model.

    Args:
        windows: how a video is cut.
        open_store: gives the clips of a manifest as a model needs them.
        progress: makes a context that shows progress under a title.
        device: where to compute; None for a GPU where there is one.
    """
    known: dict[tuple[int, str], Features] = {}

    def extract(model: Model, manifest: Manifest) -> Features:
        key = (id(model), manifest.digest)
        if key not in known:
            store = open_store(manifest, model)
            if len(store.frames) < len(manifest):
                raise DataError(
                    f"{len(manifest) - len(store.frames)} of {len(manifest)} videos cannot be read or are too short.",
                    "`kinema scan` names them; take them out, so that every figure is over the same videos.",
                )
            with progress(f"{model.name} · {model.view}") as told:
                known[key] = model.features(store, windows=windows, device=device, progress=told)
        return known[key]

    return extract


def _labels(videos: Manifest, names: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    ids = {name: number for number, name in enumerate(names)}
    return np.array([-1 if v.label is None else ids[v.label] for v in videos.videos])


def _neighbours(
    query: Manifest, gallery: Manifest, features: list[Tensor], nearest: np.ndarray[Any, np.dtype[np.int64]]
) -> list[dict[str, Any]]:
    """The nearest videos of some queries, evenly spaced over the list and so over the classes."""
    q, g = (torch.nn.functional.normalize(x - x.mean(dim=0), dim=1) for x in features)
    chosen = np.unique(np.linspace(0, len(query) - 1, NEIGHBOUR_QUERIES).round().astype(int))
    rows = []
    for i in chosen.tolist():
        asked = query.videos[i]
        hits = [
            {
                "path": gallery.videos[j].path,
                "label": gallery.videos[j].label,
                "score": float(q[i] @ g[j]),
                "same": gallery.videos[j].label == asked.label,
            }
            for j in nearest[i].tolist()
            if j >= 0
        ]
        rows.append({"query": asked.path, "label": asked.label, "hits": hits})
    return rows


def split_parts(manifest: Manifest, query: Where | None, gallery: Where | None) -> tuple[dict[str, Manifest], Manifest]:
    """Who asks and who is ranked.

    Args:
        manifest: the whole data.
        query: selects the videos that ask; by default those of the split 'test', each of its parts by itself where
            they have an attribute 'part', or all videos where there is no split.
        gallery: selects the videos that are ranked; by default the split 'train', or all videos.

    Returns:
        The queries by the name of their selection, the main one first; and the gallery.
    """
    usable = manifest.usable()
    split = any(v.split == "test" for v in usable.videos) and any(v.split == "train" for v in usable.videos)
    ranked = usable.select(gallery) if gallery is not None else usable.select({"split": "train"}) if split else usable
    if query is not None:
        return {",".join(f"{k}={v}" for k, v in query.items()): usable.select(query)}, ranked
    if not split:
        return {"all": usable}, ranked
    test = usable.select({"split": "test"})
    parts = [
        part
        for part in ("unbiased", "matched", "swapped")
        if any(v.attributes.get("part") == part for v in test.videos)
    ]
    if not parts:
        return {"split=test": test}, ranked
    return {f"part={part}": replace(test, videos=test.select({"part": part}).videos) for part in parts}, ranked
