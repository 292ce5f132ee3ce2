"""A trained encoder with all it needs to read video: what ``kinema.load`` gives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from kinema.core.clips import SOUND, ClipSpec, RawClips, SoundSpec
from kinema.core.comparing import Comparing
from kinema.core.devices import chosen_device
from kinema.core.errors import DataError, ShapeError, UsageError
from kinema.core.ops import unit_parts
from kinema.core.printing import make_console
from kinema.core.progress import Progress, Steps
from kinema.data.clips.dataset import PADDING, Clip, ClipDataset, StillSum, collate, padding
from kinema.data.clips.sampler import ClipRequest, evaluation_windows
from kinema.data.clips.store import ClipStore, held_message
from kinema.data.clips.transforms import ViewTransform
from kinema.data.video.hearing import with_sound
from kinema.data.video.scanning import scan

log = logging.getLogger(__name__)

Windows = Literal["coclr", "vcop"]
Video = str | Path | NDArray[Any] | Tensor | Image


_Batch = tuple[Tensor, RawClips | None]
"""The video of each window, and the windows; without them, what was given before of these videos is to be forgotten."""


@dataclass(frozen=True)
class Features:
    """Features of whole videos, the mean over their windows.

    Args:
        encoded: float32 [N, dim], output of the encoder; not normalised. Of several encoders theirs side by side.
        projected: float32 [N, d], the mean of the head's unit vectors, of unit length again; of several heads theirs
            side by side, of one length each.
    """

    encoded: Tensor
    projected: Tensor


class Model(Comparing):
    """An encoder of one view.

    Args:
        tower: the encoder and its head, a ``kinema.networks.Tower``.
        view: the view that is its input.
        clip: settings of a clip.
        name: how it was trained, for instance 'cpr' or 'random'.
        run: the run's folder, None where there is none.
        seed: the run's seed.
        origin: of an exported model, the provenance in its file.
        sound: settings of a clip's audio, for the view 'sound'.
        run_digest: returns a digest of all weights of the run; see :attr:`run_digest`.
    """

    modality = "video"
    unit = "clips"

    def __init__(
        self,
        tower: Any,
        view: str,
        clip: ClipSpec,
        *,
        name: str,
        run: Path | None = None,
        seed: int = 0,
        origin: Mapping[str, Any] | None = None,
        sound: SoundSpec | None = None,
        run_digest: Callable[[], str] | None = None,
    ) -> None:
        self.tower = tower.eval().requires_grad_(False)
        self.sound = sound or SoundSpec()
        self.view, self.clip, self.name, self.run, self.seed = view, clip, name, run, seed
        self.origin = dict(origin or {})
        self._run_digest = run_digest
        self._transform = ViewTransform(clip, (view,), sound=self.sound)

    @property
    def readers(self) -> tuple[Model, ...]:
        """The encoders, each of one view: this one alone; of :class:`kinema.data.clips.joined.JoinedModel` several."""
        return (self,)

    @property
    def views(self) -> tuple[str, ...]:
        """The view of each of its encoders."""
        return tuple(reader.view for reader in self.readers)

    @property
    def parts(self) -> tuple[int, ...]:
        """The dimensions of each of its encoders, side by side in an embedding."""
        return tuple(reader.dim for reader in self.readers)

    @property
    def needs_motion(self) -> bool:
        """Whether it reads the motion vectors of the stream."""
        return "motion" in self.views

    @property
    def sound_spec(self) -> SoundSpec | None:
        """Settings of the audio that it needs; None for views other than 'sound'."""
        return self.sound if self.view == SOUND else None

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return int(self.tower.encoder.dim)

    @property
    def run_digest(self) -> str:
        """SHA-256 of the weights of all views of its run, equal for each of them; empty without a run."""
        return self._run_digest() if self._run_digest is not None else str(self.origin.get("together", ""))

    def __repr__(self) -> str:
        return f"Model({self.name!r}, view={self.view!r}, dim={self.dim}, clip={self.clip})"

    def encode(
        self,
        videos: Video | Iterable[Video],
        *,
        windows: Windows = "coclr",
        batch_size: int = 64,
        device: str | None = None,
        progress: bool | Progress | None = None,
        normalize: bool = True,
    ) -> NDArray[np.float32]:
        """Embeddings of whole videos: float32 [N, dim] of several, [dim] of one that is given by itself.

        Args:
            videos: paths of video files; or arrays or tensors, uint8 [frames, H, W, 3] in RGB, or PIL images, which
                are held for a clip's length (not for the views 'motion' and 'sound', which are read from the file).
                One of them, or any iterable: a list, a tuple, a generator.
            windows: how a video is cut: overlapping windows ('coclr') or ten even ones ('vcop').
            batch_size: clips at a time.
            device: where to compute; a GPU where there is one, by default.
            progress: True shows a bar on standard error; a function is called with (videos done, videos).
            normalize: embeddings of unit length; otherwise what the encoder gives, the mean over the windows.

        Raises:
            UsageError: paths and arrays are mixed, or something is neither.
            DataError: a video cannot be read, or has no sound for the view 'sound'; nothing is skipped.
            ShapeError: an array is not uint8 [frames, H, W, 3], or has no frame.
        """
        given, alone = listed(videos)
        given = [self._array(video) for video in given]
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        if not given:
            return np.zeros((0, self.dim), dtype=np.float32)
        with shown(progress) as callback:
            read = self._encode_arrays if isinstance(given[0], np.ndarray) else self._encode_files
            stacked = read(given, windows, batch_size, device, callback)  # type: ignore[arg-type]
        found: NDArray[np.float32] = (unit_parts(stacked, self.parts) if normalize else stacked).numpy()
        return found[0] if alone else found

    def _array(self, video: Video) -> str | Path | NDArray[Any]:
        """A tensor as an array, and an image as a still video; others unchanged."""
        if isinstance(video, Tensor):
            return video.detach().cpu().numpy()
        if isinstance(video, Image):
            return np.repeat(np.asarray(video.convert("RGB"))[None], self.clip.span, axis=0)
        return video

    def _encode_files(
        self,
        paths: Sequence[str | Path],
        windows: Windows,
        batch_size: int,
        device: str | None,
        progress: Progress | None,
    ) -> Tensor:
        resolved = [Path(path).resolve() for path in paths]
        distinct = sorted(set(resolved))
        manifest = scan(distinct)
        rows = {manifest.file(row).resolve(): row for row in range(len(manifest))}
        broken = [f"'{v.path}' ({v.reason})" for v in manifest.videos if v.health == "unreadable"]
        if broken:
            raise DataError(f"{len(broken)} of {len(distinct)} videos cannot be read: {', '.join(broken[:5])}.")
        if self.sound_spec is not None and (silent := with_sound(manifest)[1]):
            named = ", ".join(f"'{path}' ({reason})" for path, reason in list(silent.items())[:5])
            raise DataError(f"{len(silent)} of {len(distinct)} videos cannot be heard: {named}.", "Leave them out.")
        store = ClipStore(manifest, self.clip, motion=self.needs_motion, cache=None, sound=self.sound_spec)
        if held := held_message(list(store.frames.values()), self.clip):
            log.warning("%s", held)
        found = self.features(store, windows=windows, batch_size=batch_size, device=device, progress=progress)
        return found.encoded[[rows[path] for path in resolved]]

    def features(
        self,
        store: ClipStore,
        *,
        windows: Windows | Callable[[int], tuple[int, ...]] = "coclr",
        batch_size: int = 64,
        device: str | None = None,
        progress: Progress | None = None,
        failures_allowed: float = 0.0,
        still: bool = False,
    ) -> Features:
        """Features of every readable video of a store, in the order of its rows.

        Args:
            store: made with this model's clip, with motion for the view 'motion' and with sound (:attr:`sound_spec`)
                for 'sound'.
            windows: how a video is cut; or a function from its number of frames to the starts of windows.
            batch_size: clips at a time.
            device: where to compute.
            progress: is called with (videos done, videos).
            failures_allowed: the fraction of the videos that may be unreadable; each gets the feature of the next
                readable one.
            still: replaces each video's windows by a still one: the mean image of them all.

        Raises:
            DataError: more of them could not be read.
        """
        dataset = ClipDataset(
            store, failures_allowed=failures_allowed, motion=self.needs_motion, sound=self.sound_spec is not None
        )
        rows = sorted(store.frames)
        wanted = [
            ClipRequest(row, windows(frames) if callable(windows) else evaluation_windows(frames, self.clip, windows))
            for row, frames in ((row, store.frames[row]) for row in rows)
        ]

        sizes = [store.size_of(row) for row in rows]

        def batches() -> Iterator[_Batch]:
            begin = 0
            while begin < len(wanted):
                count = len(wanted[begin].starts)
                if count > batch_size:
                    yield from _in_parts(dataset, wanted[begin], begin, batch_size, still)
                    begin += 1
                    continue
                end = begin + 1
                while (
                    end < len(wanted)
                    and len(wanted[end].starts) == count
                    and (end + 1 - begin) * count <= batch_size
                    and padding(sizes[begin : end + 1]) <= PADDING
                ):
                    end += 1
                clips = [dataset[w] for w in wanted[begin:end]]
                yield (
                    torch.arange(begin, end).repeat_interleave(1 if still else count),
                    collate([clip.still() for clip in clips] if still else clips),
                )
                begin = end

        return self._mean(batches(), len(rows), device, progress)

    def _encode_arrays(
        self,
        videos: Sequence[NDArray[np.uint8]],
        windows: Windows,
        batch_size: int,
        device: str | None,
        progress: Progress | None,
    ) -> Tensor:
        if unseen := [view for view in self.views if view in ("motion", SOUND)]:
            raise UsageError(
                f"The view '{unseen[0]}' is read from a video file; arrays have none.", "Give the paths of the files."
            )
        for number, video in enumerate(videos):
            if video.dtype != np.uint8 or video.ndim != 4 or video.shape[-1] != 3 or not video.size:
                raise ShapeError(
                    f"Video {number} is {video.dtype} {video.shape}; expected uint8 [frames, H, W, 3], RGB."
                )
        if held := held_message([len(video) for video in videos], self.clip):
            log.warning("%s", held)

        steps = np.arange(0, self.clip.span, self.clip.stride)

        def batches() -> Iterator[_Batch]:
            for number, video in enumerate(videos):
                starts = evaluation_windows(len(video), self.clip, windows)
                for some in (starts[i : i + batch_size] for i in range(0, len(starts), batch_size)):
                    cuts = [video[np.minimum(start + steps, len(video) - 1)] for start in some]
                    extent, zero = torch.tensor([video.shape[1:3]]), torch.zeros(1, dtype=torch.int64)
                    frames = torch.from_numpy(np.stack(cuts))[None]
                    yield (
                        torch.full((len(some),), number),
                        RawClips(frames, extent, index=zero, source=zero, label=zero - 1),
                    )

        return self._mean(batches(), len(videos), device, progress).encoded

    @torch.inference_mode()
    def encode_clips(self, raw: RawClips, *, device: str | None = None, projected: bool = False) -> Tensor:
        """Features of clips, float32 [B V, dim] on the CPU, clip by clip; not normalised.

        Args:
            raw: B clips in V windows, decoded with this model's ``clip``.
            device: where to compute; a GPU where there is one, by default.
            projected: returns projections instead, [B V, d], of unit length.
        """
        where = chosen_device(device)
        x = self._transform.evaluate(raw.to(where).split_variants()).view(0, self.view)
        tower = self._tower_on(where)
        features: Tensor = tower(x) if projected else tower.encoder(x)
        return features.float().cpu()

    def _tower_on(self, device: str) -> Any:
        """The tower on a device; only one tensor is checked, since checking all takes longer than a small batch."""
        first = next(self.tower.parameters(), None)
        if first is None or first.device != torch.empty(0, device=device).device:
            self.tower.to(device)
        return self.tower

    @torch.inference_mode()
    def _mean(self, batches: Iterator[_Batch], videos: int, device: str | None, progress: Progress | None) -> Features:
        """The mean of encoder and head over the windows of each video."""
        where = chosen_device(device)
        encoded = torch.zeros(videos, self.dim)
        projected: Tensor | None = None
        count, widths = torch.zeros(videos), list[int]()
        for owners, raw in batches:
            if raw is None:
                for sums in (encoded, projected, count):
                    if sums is not None:
                        sums[owners] = 0
                continue
            moved = raw.to(where).split_variants()
            each = [reader._outputs(moved, where) for reader in self.readers]
            features, z = (torch.cat(found, dim=1) for found in zip(*each, strict=True))
            if projected is None:
                projected, widths = torch.zeros(videos, z.shape[1]), [own.shape[1] for _, own in each]
            encoded.index_add_(0, owners, features)
            projected.index_add_(0, owners, z)
            count.index_add_(0, owners, torch.ones(len(owners)))
            if progress is not None:
                progress(int(owners[-1]) + 1, videos)
        assert projected is not None, "there is a video"
        count = count.clamp_min(1)[:, None]
        return Features((encoded / count).clone(), unit_parts(projected / count, widths).clone())

    def _outputs(self, raw: RawClips, where: str) -> tuple[Tensor, Tensor]:
        """Features and projections of clips that are on that device, float32 [B, dim] and [B, d] on the CPU."""
        tower = self._tower_on(where)
        features = tower.encoder(self._transform.evaluate(raw).view(0, self.view))
        return features.float().cpu(), tower.head(features).float().cpu()


def _in_parts(dataset: ClipDataset, wanted: ClipRequest, number: int, most: int, still: bool) -> Iterator[_Batch]:
    """The batches of one video of more windows than a batch has."""
    wanted = replace(wanted, starts=tuple(sorted(wanted.starts)))
    if still:
        yield torch.tensor([number]), collate([_still(dataset, wanted, most)])
        return
    for clip in dataset.parts(wanted, most):
        owners = torch.full((1 if clip is None else len(clip.windows.frames),), number)
        yield owners, None if clip is None else collate([clip])


def _still(dataset: ClipDataset, wanted: ClipRequest, most: int) -> Clip:
    """The still of a video, without holding all its windows; of the next readable one where it cannot be read."""
    total = None
    for clip in dataset.parts(wanted, most):
        total = None if clip is None else StillSum.of(clip) if total is None else total.added(clip)
    assert total is not None, "a video has a window"
    return total.clip()


def listed(videos: Video | Iterable[Video]) -> tuple[list[Video], bool]:
    """The videos as a list, and whether it was one by itself: a path, or an array that is no stack of videos.

    Raises:
        UsageError: paths and arrays are mixed, or something is neither.
    """
    if isinstance(videos, str | Path):
        return [videos], True
    if isinstance(videos, Image):
        return [videos], True
    if isinstance(videos, np.ndarray) and videos.dtype.kind not in "UO" and videos.ndim != 5:
        return [videos], True
    if isinstance(videos, Tensor) and videos.ndim != 5:
        return [videos], True
    if isinstance(videos, bytes | Mapping) or not isinstance(videos, Iterable):
        raise UsageError(
            f"Videos are given as {type(videos).__name__}.", "Give paths or arrays, one or a list of them."
        )
    given = list(videos)
    strange = next(
        (i for i, video in enumerate(given) if not isinstance(video, str | Path | np.ndarray | Tensor | Image)), None
    )
    if strange is not None:
        raise UsageError(
            f"Video {strange} is of type {type(given[strange]).__name__}; expected a path, an array or a picture.",
            "A model of video takes paths, arrays or tensors uint8 [frames, H, W, 3], and PIL images.",
        )
    if len({isinstance(video, str | Path) for video in given}) > 1:
        raise UsageError("Some of the videos are paths and some are arrays.", "Encode each kind by itself.")
    return given, False


@contextmanager
def shown(progress: bool | Progress | None) -> Iterator[Progress | None]:
    """How progress is shown: by the caller's function, by a bar on standard error for True, or not at all."""
    if progress is True:
        with Steps("encoding", make_console(stderr=True)) as callback:
            yield callback
    else:
        yield progress or None
