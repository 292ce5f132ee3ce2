"""Several encoders of one run side by side, each of a view of its own: what ``view="rgb+motion"`` stands for.

An embedding is those of the encoders side by side, each scaled to one length. The cosine of two such embeddings is the
mean of the cosines that the encoders find, so to search by it is to search by the sum of their scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kinema.core.clips import RawClips, SoundSpec
from kinema.core.errors import UsageError
from kinema.core.reader import Reader
from kinema.data.clips.reader import Features, Model

PLUS = "+"
"""Stands between views that are taken together."""

TWO_STREAMS = ("rgb", "motion")
"""The views that are taken together where a run has encoders of both and nobody named one."""


def views_of(view: str) -> tuple[str, ...]:
    """The views that a name stands for: 'rgb' is one, 'rgb+motion' two.

    Raises:
        UsageError: a name is missing, or stands there twice.
    """
    views = tuple(view.split(PLUS))
    if not all(views) or len(set(views)) < len(views):
        fault = "names a view twice" if all(views) else "lacks the name of a view"
        raise UsageError(f"The view '{view}' {fault}.", "Name each once, with a plus between them: rgb+motion.")
    return views


class JoinedModel(Model):
    """Encoders side by side; it is used as one of a single view is.

    Args:
        readers: an encoder of each view, in the order of an embedding's parts.
        leading: the one that the others are added to: it gives the name; by default the first.

    Raises:
        UsageError: there are fewer than two, two are of one view, one is no encoder of video, or their clips differ.
    """

    def __init__(self, readers: Sequence[Any], leading: Model | None = None) -> None:
        other = next((reader for reader in readers if not isinstance(reader, Model) or len(reader.readers) > 1), None)
        if other is not None or len(readers) < 2:
            what = f"reads {other.unit}" if other is not None else "is the only one"
            raise UsageError(
                f"'{(other or readers[0]).name}' {what}: views are taken together where a run has several encoders of "
                "video, each of a view of its own.",
                "Name one view.",
            )
        self._readers = tuple(readers)
        self.view = PLUS.join(reader.view for reader in readers)
        views_of(self.view)
        first = readers[0]
        for reader in readers[1:]:
            if reader.clip != first.clip:
                raise UsageError(
                    f"Clips of '{first.view}' are {first.clip}, those of '{reader.view}' {reader.clip}.",
                    "Encoders that are taken together see the same clips.",
                )
        self.leading = chosen = leading or first
        self.clip, self.name, self.run, self.seed = chosen.clip, chosen.name, chosen.run, chosen.seed
        self.origin, self._run_digest = chosen.origin, chosen._run_digest

    @property
    def readers(self) -> tuple[Model, ...]:
        """The encoders, in the order of an embedding's parts."""
        return self._readers

    def _members(self) -> tuple[Reader, ...]:
        return self._readers

    @property
    def dim(self) -> int:
        """Dimensions of an embedding: the sum over its parts."""
        return sum(self.parts)

    @property
    def sound_spec(self) -> SoundSpec | None:
        """Settings of the audio that one of them needs; None where none hears."""
        return next((reader.sound for reader in self.readers if reader.sound_spec is not None), None)

    def __repr__(self) -> str:
        return f"JoinedModel({self.name!r}, view={self.view!r}, parts={self.parts}, clip={self.clip})"

    def encode_clips(self, raw: RawClips, *, device: str | None = None, projected: bool = False) -> Tensor:
        """Features of clips, float32 [B V, dim] on the CPU, those of the encoders side by side; not normalised.

        Args:
            raw: B clips in V windows, decoded with this model's ``clip``, with motion and sound where a view needs it.
            device: where to compute; a GPU where there is one, by default.
            projected: returns projections instead, side by side and of one length, so that a row has length 1.
        """
        each = [reader.encode_clips(raw, device=device, projected=projected) for reader in self.readers]
        return torch.cat(each, dim=1) * (math.sqrt(1 / len(each)) if projected else 1.0)

    def apart(self, features: Features) -> tuple[Features, ...]:
        """Features of this model as those of each encoder."""
        encoded = torch.split(features.encoded, list(self.parts), dim=1)
        heads = [int(reader.tower.head_config.out) for reader in self.readers]
        projected = torch.split(features.projected, heads, dim=1)
        scale = math.sqrt(len(self.readers))
        return tuple(Features(own.clone(), z * scale) for own, z in zip(encoded, projected, strict=True))
