"""The features of a manifest's videos, each computed once a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kinema.core.errors import DataError
from kinema.data import ClipStore, Manifest
from kinema.data.clips.joined import JoinedModel
from kinema.data.clips.reader import Features, Model, Windows

Extract = Callable[[Model, Manifest], Features]
OpenStore = Callable[[Manifest, Model], ClipStore]

WINDOWS = {"coclr": "all along the video, 15/32 of a clip apart", "vcop": "ten, spread evenly"}
"""How a video is cut, in words."""

BACKBONE = "the backbone's, mean over windows"
"""Which features the classifying protocols take, in words."""


def whole_store(manifest: Manifest, model: Model, open_store: OpenStore) -> ClipStore:
    """The clips of every video of a manifest.

    Raises:
        DataError: some cannot be read.
    """
    store = open_store(manifest, model)
    if len(store.frames) < len(manifest):
        raise DataError(
            f"{len(manifest) - len(store.frames)} of {len(manifest)} videos cannot be read.",
            "`kinema scan` names them; take them out, so that every figure is over the same videos.",
        )
    return store


def extractor(
    *,
    windows: Windows,
    open_store: OpenStore,
    progress: Callable[[str], Any],
    device: str | None,
) -> Extract:
    """Extracts features of manifests, each once a model; those of encoders side by side are those of each, too.

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
            store = whole_store(manifest, model, open_store)
            with progress(f"{model.name} · {model.view}") as report:
                known[key] = model.features(store, windows=windows, device=device, progress=report)
            if isinstance(model, JoinedModel):
                known.update(
                    ((id(reader), manifest.digest), own)
                    for reader, own in zip(model.readers, model.apart(known[key]), strict=True)
                )
        return known[key]

    return extract
