"""A trained encoder with all it needs to read video: what ``kinema.load`` gives."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinema.core.clips import SOUND, ClipSpec, RawClips, SoundSpec
from kinema.core.comparing import Comparing
from kinema.core.errors import DataError, UsageError
from kinema.core.leftovers import SUFFIX, clear, under_way
from kinema.core.ops import unit_parts
from kinema.core.progress import Progress, Shown, shown
from kinema.data.clips.dataset import PADDING, Clip, ClipDataset, StillSum, collate, padding
from kinema.data.clips.given import Encoded, Given, LeftOut, Video, listed, portions, taken
from kinema.data.clips.sampler import ClipRequest, evaluation_windows
from kinema.data.clips.store import ClipStore, held_message
from kinema.data.clips.stretches import PICTURE, window_of
from kinema.data.clips.transforms import ViewTransform
from kinema.data.video.hearing import sound_missing
from kinema.data.video.manifest import Video as ScannedVideo
from kinema.data.video.scanning import scan
from kinema.data.video.timeline import Timeline

log = logging.getLogger(__name__)

Windows = Literal["coclr", "vcop"]


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


@dataclass(frozen=True)
class _How:
    """What a call of :meth:`Model.encode` asks for."""

    windows: Windows
    batch_size: int
    device: str
    skip: bool


_SKIP = 'Take them out, or say errors="skip", which leaves them out and names them.'


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

    @overload
    def encode(
        self,
        videos: Video | Iterable[Video],
        *,
        windows: Windows = "coclr",
        batch_size: int = 64,
        device: str | None = None,
        progress: Shown | Progress = None,
        normalize: bool = True,
        errors: Literal["raise"] = "raise",
    ) -> NDArray[np.float32]: ...

    @overload
    def encode(
        self,
        videos: Video | Iterable[Video],
        *,
        windows: Windows = "coclr",
        batch_size: int = 64,
        device: str | None = None,
        progress: Shown | Progress = None,
        normalize: bool = True,
        errors: Literal["skip"],
    ) -> Encoded: ...

    def encode(
        self,
        videos: Video | Iterable[Video],
        *,
        windows: Windows = "coclr",
        batch_size: int = 64,
        device: str | None = None,
        progress: Shown | Progress = None,
        normalize: bool = True,
        errors: Literal["raise", "skip"] = "raise",
    ) -> NDArray[np.float32] | Encoded:
        """Embeddings of whole videos: float32 [N, dim] of several, [dim] of one that is given by itself.

        Args:
            videos: one video, or any iterable of them; of a generator a few are held at a time. A video is the path of
                a file, or of a stretch of it in seconds ('clip.mp4@2-5'); the bytes of a file, or a binary stream,
                which is read from where it stands; an array or a tensor, uint8 [frames, H, W, 3] in RGB; or a list of
                frames, PIL images or arrays uint8 [H, W, 3]. A PIL image, or the file of a picture, is held for a
                clip's length, for the view 'rgb' alone; 'motion' and 'sound' are read from files. A folder by itself
                stands for all videos in it, in order of their paths.
            windows: how a video is cut: overlapping windows ('coclr') or ten even ones ('vcop').
            batch_size: clips at a time.
            device: where to compute; by default where the model is (:meth:`to`), a GPU where there is one.
            progress: None shows a bar where a person sees it, on a terminal or in a notebook; True and False decide; a
                function is called with (videos done, videos).
            normalize: embeddings of unit length; otherwise what the encoder gives, the mean over the windows.
            errors: 'raise' gives up at the first videos that cannot be read; 'skip' leaves them out.

        Returns:
            The embeddings, in the order of the videos; with ``errors="skip"`` an
            :class:`~kinema.data.clips.given.Encoded`: the rows of those that could be read, which ones these are, and
            why the others could not be; of one video too.

        Raises:
            UsageError: something is no video, a stretch is not in its file, or an option is none.
            DataError: a video cannot be read, or has no sound for the view 'sound'.
            ShapeError: an array is not uint8 [frames, H, W, 3], or has no frame; 'skip' does not hide it.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1.")
        if errors not in ("raise", "skip"):
            raise UsageError(f"errors is {errors!r}.", "Choose 'raise' or 'skip'.")
        items, alone, count = listed(videos)
        how = _How(windows, batch_size, self._device_for(device), errors == "skip")
        rows: list[Tensor] = []
        names: list[str] = []
        lost: list[LeftOut] = []
        with shown("encoding", progress) as tell:
            for some in portions(items, count):
                done, seen = len(names), len(names) + len(some) if count is None else count
                for outcome in self._portion(some, done, how, _after(tell, done, seen)):
                    name, row = outcome
                    if isinstance(row, str):
                        lost.append(LeftOut(len(names), name, row))
                    else:
                        rows.append(row)
                    names.append(name)
        stacked = torch.stack(rows) if rows else torch.zeros(0, self.dim)
        found: NDArray[np.float32] = (unit_parts(stacked, self.parts) if normalize else stacked).numpy()
        if errors == "raise":
            return found[0] if alone else found
        gone = {each.position for each in lost}
        kept = tuple(number for number in range(len(names)) if number not in gone)
        encoded = Encoded(found, kept, tuple(names[number] for number in kept), tuple(lost))
        if lost:
            log.warning("%s", encoded)
        return encoded

    def _portion(self, items: Sequence[Any], first: int, how: _How, tell: Progress) -> list[tuple[str, Tensor | str]]:
        """The name of each item, and its features or why it has none; some items after the first ones."""
        clear(Path(tempfile.gettempdir()))
        with tempfile.TemporaryDirectory(prefix=under_way("kinema-encode"), suffix=SUFFIX) as folder:
            given: list[Given] = []
            bad: dict[int, str] = {}
            for number, item in enumerate(items):
                try:
                    given.append(taken(item, first + number, Path(folder), self.clip.short_side))
                except DataError as error:
                    if not how.skip:
                        raise
                    bad[number] = error.message
                    given.append(Given(str(item) if isinstance(item, str | Path) else f"video {first + number}"))
            found: dict[int, Tensor | str] = dict(bad)
            for kind, read in (("file", self._read_files), ("frames", self._read_frames)):
                numbers = [n for n, each in enumerate(given) if n not in found and getattr(each, kind) is not None]
                begun = len(found)
                outcomes = read([given[n] for n in numbers], how, _after(tell, begun, len(given)))
                found |= dict(zip(numbers, outcomes, strict=True))
            names = [each.name for each in given]
            return [(names[n], found[n]) for n in range(len(given))]

    def _read_files(self, files: Sequence[Given], how: _How, tell: Progress) -> Sequence[Tensor | str]:
        """Features of each file, or why it has none: all together, and one by one if something stops that."""
        if not files:
            return []
        try:
            return self._files_together(files, how, tell)
        except DataError as error:
            if not how.skip:
                raise
            if len(files) == 1:
                return [error.message]
        found: list[Tensor | str] = []
        for number, file in enumerate(files):
            found += self._read_files([file], how, lambda _n, _all: None)
            tell(number + 1, len(files))
        return found

    def _files_together(self, files: Sequence[Given], how: _How, tell: Progress) -> list[Tensor | str]:
        resolved = [Path(str(given.file)).resolve() for given in files]
        distinct = sorted(set(resolved))
        manifest = scan(distinct)
        facts = {manifest.file(row).resolve(): video for row, video in enumerate(manifest.videos)}
        bad = {file: video.reason for file, video in facts.items() if video.health == "unreadable"}
        if bad and not how.skip:
            raise DataError(f"{len(bad)} of {len(distinct)} videos cannot be read: {_named(bad)}.", _SKIP)
        silent: dict[Path, str] = {}
        if self.sound_spec is not None:
            silent = {f: reason for f, video in facts.items() if f not in bad and (reason := sound_missing(video))}
            if silent and not how.skip:
                raise DataError(f"{len(silent)} of {len(distinct)} videos cannot be heard: {_named(silent)}.", _SKIP)
        bad |= silent
        usable = replace(manifest, videos=tuple(video for file, video in facts.items() if file not in bad))
        if not usable.videos:
            return [bad[file] for file in resolved]
        store = ClipStore(usable, self.clip, motion=self.needs_motion, cache=None, sound=self.sound_spec)
        if held := held_message(list(store.frames.values()), self.clip):
            log.warning("%s", held)
        rows = {usable.file(row).resolve(): row for row in range(len(usable))}
        read = [n for n, file in enumerate(resolved) if file not in bad]
        requests = [self._request(rows[resolved[n]], files[n], usable.videos[rows[resolved[n]]], how) for n in read]
        features = self._features(store, requests, how.batch_size, how.device, tell).encoded
        found: dict[int, Tensor | str] = dict(zip(read, features, strict=True))
        return [found[n] if n in found else bad[file] for n, file in enumerate(resolved)]

    def _request(self, row: int, given: Given, video: ScannedVideo, how: _How) -> ClipRequest:
        """The windows of a file, or of a stretch of it."""
        file = Path(str(given.file))
        if given.stretch is None:
            return ClipRequest(row, evaluation_windows(video.frames, self.clip, how.windows))
        (first, frames), note = window_of(self.clip, file, Timeline.of(file, video), given.stretch)
        if note:
            log.warning("%s: %s", given.name, note)
        return ClipRequest(row, tuple(first + start for start in evaluation_windows(frames, self.clip, how.windows)))

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
        rows = sorted(store.frames)
        wanted = [
            ClipRequest(row, windows(frames) if callable(windows) else evaluation_windows(frames, self.clip, windows))
            for row, frames in ((row, store.frames[row]) for row in rows)
        ]
        return self._features(store, wanted, batch_size, device, progress, failures_allowed, still)

    def _features(
        self,
        store: ClipStore,
        wanted: Sequence[ClipRequest],
        batch_size: int,
        device: str | None,
        progress: Progress | None,
        failures_allowed: float = 0.0,
        still: bool = False,
    ) -> Features:
        """Features of some windows each, in their order; see :meth:`features`."""
        dataset = ClipDataset(
            store, failures_allowed=failures_allowed, motion=self.needs_motion, sound=self.sound_spec is not None
        )
        sizes = [store.size_of(request.video) for request in wanted]

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

        return self._mean(batches(), len(wanted), device, progress)

    def _read_frames(self, given: Sequence[Given], how: _How, tell: Progress) -> Sequence[Tensor | str]:
        """Features of videos that are given as frames; a picture is held for a clip's length."""
        if not given:
            return []
        if unseen := [view for view in self.views if view in ("motion", SOUND)]:
            raise UsageError(
                f"The view '{unseen[0]}' is read from a video file; arrays have none.", "Give the paths of the files."
            )
        if self.view != PICTURE and any(each.still for each in given):
            raise UsageError(
                f"A still picture has nothing of the view '{self.view}', for nothing changes in it.",
                "Give videos, or load the encoder of the view 'rgb'.",
            )
        videos = [self._held(each) for each in given]
        if held := held_message([len(video) for video in videos], self.clip):
            log.warning("%s", held)

        steps = np.arange(0, self.clip.span, self.clip.stride)

        def batches() -> Iterator[_Batch]:
            for number, video in enumerate(videos):
                starts = evaluation_windows(len(video), self.clip, how.windows)
                for some in (starts[i : i + how.batch_size] for i in range(0, len(starts), how.batch_size)):
                    cuts = [video[np.minimum(start + steps, len(video) - 1)] for start in some]
                    extent, zero = torch.tensor([video.shape[1:3]]), torch.zeros(1, dtype=torch.int64)
                    frames = torch.from_numpy(np.stack(cuts))[None]
                    yield (
                        torch.full((len(some),), number),
                        RawClips(frames, extent, index=zero, source=zero, label=zero - 1),
                    )

        return list(self._mean(batches(), len(videos), how.device, tell).encoded)

    def _held(self, given: Given) -> NDArray[np.uint8]:
        """The frames of a video; those of a picture for a clip's length."""
        assert given.frames is not None, "it is no file"
        return np.repeat(given.frames, self.clip.span, axis=0) if given.still else given.frames

    @torch.inference_mode()
    def encode_clips(self, raw: RawClips, *, device: str | None = None, projected: bool = False) -> Tensor:
        """Features of clips, float32 [B V, dim] on the CPU, clip by clip; not normalised.

        Args:
            raw: B clips in V windows, decoded with this model's ``clip``.
            device: where to compute; a GPU where there is one, by default.
            projected: returns projections instead, [B V, d], of unit length.
        """
        where = self._device_for(device)
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
        where = self._device_for(device)
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


def _after(tell: Progress, begun: int, count: int) -> Progress:
    """Tells of a part of the work as of all of it: what was done before it is added."""
    return lambda done, _: tell(begun + done, count)


def _named(bad: Mapping[Path, str]) -> str:
    """The first of some files, each with its reason."""
    return ", ".join(f"'{file}' ({reason})" for file, reason in list(bad.items())[:5])
