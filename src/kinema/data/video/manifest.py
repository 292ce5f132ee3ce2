"""The manifest: what is there, one typed row a video, and nothing that has to be opened again to be known.

A manifest is made by :func:`kinema.data.scan` and read back from Parquet, or from JSON where the file's name ends
in ``.json``; both hold the same. Row numbers are how the rest of kinema names a video, so a selection is a new
manifest with rows of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple

from kinema.core.errors import DataError
from kinema.core.files import write_atomic, write_json
from kinema.core.labelling import LabelReading
from kinema.core.reading import load_json, parse_json, reason_of, shaped, unwritable
from kinema.core.tables import distinct, matching, numbered
from kinema.data.moving import found_root, way_to
from kinema.data.video.files import exists

Health = Literal["ok", "partial", "unreadable"]
PROBED = 1
"""The version of the scan's facts of a file. It grows where they come to say what they did not."""
_FORMAT = 1
_WAY = "root_from_here"
_LOOKED_AT = 20
_MOST = 1 << 62
"""Below which every size and count of a video lies."""
_MAKE_ONE = "Make one with `kinema scan VIDEOS -o MANIFEST`."
_COLUMNS = ("label", "source", "split", "health")


def inside_root(name: str, where: str) -> str:
    """The path of a file below its data's root, as a file of somebody else gives it.

    Args:
        name: the path.
        where: what names it, for the message: "the manifest 'm.json'".

    Raises:
        DataError: it is empty or absolute, or leads out of the root with '..'.
    """
    parts = PurePath(name).parts
    if not parts or "\0" in name or PurePath(name).anchor or name.startswith("/") or ".." in parts:
        raise DataError(
            f"{where[:1].upper()}{where[1:]} names '{name[:200]}', which does not lie below the data's folder.",
            "Give paths below that folder, without '..' and not from the root of the disk.",
        )
    return name


@dataclass(frozen=True)
class Video:
    """One file that claims to be video.

    Args:
        path: below the manifest's root, with forward slashes.
        health: 'ok', 'partial' (some of it decodes) or 'unreadable'.
        reason: why it is not ok; empty where it is.
        container: the container format as FFmpeg names it.
        codec: the video codec as FFmpeg names it.
        profile: the codec's profile, empty where it has none.
        pixel_format: as FFmpeg names it.
        width: pixels as displayed, after the rotation.
        height: pixels as displayed, after the rotation.
        rotation: degrees clockwise by which the stored picture is turned for display: 0, 90, 180 or 270.
        fps: frames a second on the average; 0 where the file does not say.
        variable_fps: whether the frames' spacing in time varies by more than a tenth.
        frames: frames that can be decoded.
        duration: seconds.
        keyframes: numbers of the frames, in order of display, from which decoding can start.
        b_frames: whether frames are stored in another order than they are shown.
        audio_codec: the first audio stream's codec, or None.
        audio_rate: its samples a second, 0 without audio.
        audio_duration: its seconds, 0 without audio or where it was not scanned.
        audio_silent: whether nothing in it reaches -60 dBFS, by what was listened to: all of a file of up to half a
            minute, pieces of a longer one. None without audio, or where it was not scanned or not decodable.
        size: bytes.
        mtime_ns: when the file was last changed, nanoseconds since 1970.
        label: the class, or None.
        source: the recording it was cut from; videos of one source are siblings. Its path where nothing is known.
        split: 'train', 'val' or 'test', another value as it was written, or None.
        attributes: further facts of it, by name.
        interlaced: whether its frames are of two fields each.
        note: what a person should know of it though it may be whole: which of several tracks is read, that the size
            of the picture changes, that it is interlaced; empty for nothing.
        probed: which version of the scan read it; a file that an earlier one read is read again.
        transient: whether the reason may pass: the system could not read the file, as where a disk or a share fails.
            The next scan looks at it again, even if size and time are the same.
    """

    path: str
    health: Health = "ok"
    reason: str = ""
    container: str = ""
    codec: str = ""
    profile: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    fps: float = 0.0
    variable_fps: bool = False
    frames: int = 0
    duration: float = 0.0
    keyframes: tuple[int, ...] = ()
    b_frames: bool = False
    audio_codec: str | None = None
    audio_rate: int = 0
    audio_duration: float = 0.0
    audio_silent: bool | None = None
    size: int = 0
    mtime_ns: int = 0
    label: str | None = None
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    transient: bool = False
    interlaced: bool = False
    note: str = ""
    probed: int = 0

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.path)

    def value(self, key: str) -> str | None:
        """Its label, source, split, health or attribute of that name; None where it has none."""
        if key in _COLUMNS:
            found: str | None = getattr(self, key)
            return found
        return self.attributes.get(key)


@dataclass(frozen=True)
class Overlooked:
    """What a scan did not look at.

    Args:
        unlisted: folders that could not be listed, below the root, with the reason; '.' is the root. Videos below them
            may be there all the same. So it is with links that lead nowhere: their place may be a share that is
            offline.
        endings: how many files were passed over, by the ending of their name in small letters, '' for none.
        links: how many files and folders behind links were passed over, because they are there already.
        special: how many pipes, sockets and devices were passed over, by that word.
        pictures: how many folders of numbered pictures were passed over, because there are videos beside them.
        misnamed: files and folders that were left out because their names are not UTF-8, the bytes that are not
            by their numbers.
    """

    unlisted: Mapping[str, str] = field(default_factory=dict)
    endings: Mapping[str, int] = field(default_factory=dict)
    links: int = 0
    special: Mapping[str, int] = field(default_factory=dict)
    pictures: int = 0
    misnamed: tuple[str, ...] = ()

    def hides(self, path: str) -> bool:
        """Whether a path lies where the scan could not look, so that it may be there though it was not seen.

        Args:
            path: below the root, with forward slashes.
        """
        if not self.unlisted:
            return False
        parts = path.split("/")
        return "." in self.unlisted or any("/".join(parts[:n]) in self.unlisted for n in range(1, len(parts) + 1))


@dataclass(frozen=True)
class Manifest:
    """Videos below one root folder; the row number of a video is its index in ``videos``.

    Args:
        root: the folder.
        videos: in any order.
        overlooked: what the scan did not look at.
        reading: how they came by their labels; None where that is not known. Two manifests of equal videos are equal
            whatever it says.
        left_out: videos that :meth:`usable` took out, with their reasons; they are not written, and not compared.
    """

    root: Path
    videos: tuple[Video, ...]
    overlooked: Overlooked = field(default_factory=Overlooked)
    reading: LabelReading | None = field(default=None, compare=False)
    left_out: tuple[Video, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        twice = [path for path, count in Counter(video.path for video in self.videos).items() if count > 1]
        if twice:
            raise DataError(f"The manifest holds {len(twice)} paths more than once: {', '.join(twice[:5])}.")

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def rows(self) -> tuple[Video, ...]:
        """The videos, as the rows of a table."""
        return self.videos

    def file(self, row: int) -> Path:
        """The path of the video of that row."""
        return self.root / self.videos[row].path

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that learning depends on.

        That is each video's path, size, label, source, split, attributes and frames; not the root, the times of the
        files or the order of the rows.
        """
        rows = [
            [v.path, v.size, v.label, v.source, v.split, sorted(v.attributes.items()), v.frames]
            for v in sorted(self.videos, key=lambda video: video.path)
        ]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def select(self, where: Mapping[str, str]) -> Manifest:
        """The videos for which every named key has the named value.

        Args:
            where: keys are 'label', 'source', 'split', 'health' or the name of an attribute. Values are compared
                without the space around them; those of 'split' by what they mean, and an empty one is a
                video without a split.

        Raises:
            DataError: a key is not known, or nothing matches; the message names the keys or values there are.
        """
        known = [*_COLUMNS, *sorted({key for video in self.videos for key in video.attributes})]
        return replace(self, videos=matching(self.videos, where, known, "video"))

    def usable(self) -> Manifest:
        """The videos that can be decoded, at least in part."""
        left = tuple(video for video in self.videos if video.health == "unreadable")
        chosen = tuple(video for video in self.videos if video.health != "unreadable")
        return replace(self, videos=chosen, left_out=(*self.left_out, *left))

    def labels(self) -> tuple[str | None, ...]:
        """Each video's class, None where it is not known."""
        return tuple(video.label for video in self.videos)

    def classes(self) -> tuple[str, ...]:
        """The classes there are, sorted."""
        return distinct(video.label for video in self.videos)

    def label_ids(self) -> tuple[int, ...]:
        """Each video's class as its number in :meth:`classes`, -1 where it is not known."""
        return numbered(video.label for video in self.videos)

    def source_ids(self) -> tuple[int, ...]:
        """Each video's source as its number among the sorted sources; equal numbers are siblings."""
        return numbered(video.source for video in self.videos)

    def write(self, path: Path) -> None:
        """Writes it atomically, as JSON where the name ends in '.json' and as Parquet otherwise.

        Raises:
            StorageError: it could not be written.
        """
        rows = [_to_row(video) for video in self.videos]
        if path.suffix == ".json":
            reading = {} if self.reading is None else {"labels": self.reading.to_plain()}
            head = {"kinema_manifest": _FORMAT, "root": str(self.root.resolve()), _WAY: way_to(self.root, path)}
            head |= reading
            write_json(path, head | {"overlooked": asdict(self.overlooked), "videos": rows})
            return
        arrow, parquet = _pyarrow()
        metadata = {"kinema_manifest": str(_FORMAT), "root": str(self.root.resolve()), "digest": self.digest}
        metadata[_WAY] = way_to(self.root, path)
        metadata["overlooked"] = json.dumps(asdict(self.overlooked))
        if self.reading is not None:
            metadata["labels"] = json.dumps(self.reading.to_plain())
        schema = _schema(arrow).with_metadata(metadata)
        table = arrow.Table.from_pylist(rows, schema=schema)
        write_atomic(path, lambda file: parquet.write_table(table, file))

    @classmethod
    def read(cls, path: Path, root: Path | None = None) -> Manifest:
        """Reads what :meth:`write` wrote.

        Args:
            path: the file.
            root: the folder of the videos, where it has moved; otherwise the one written in the file or, if that does
                not hold them, the one that lies where it lay, seen from the manifest, or the manifest's own folder.

        Raises:
            DataError: the file is missing, is no manifest, or names a file outside of the root.
        """
        if not path.is_file():
            raise DataError(f"There is no manifest '{path}'.", _MAKE_ONE)
        try:
            content = _read_json(path) if path.suffix == ".json" else _read_parquet(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"'{path}' is not a manifest: {reason_of(error)}.", _MAKE_ONE) from error
        written, rows = content.root, content.rows
        where = f"The manifest '{path}'"
        videos = tuple(_from_row(row, f"{where}, in row {number},") for number, row in enumerate(rows))
        missed = shaped(content.overlooked or {}, Overlooked, where, error=DataError, hint=_MAKE_ONE)
        reading = None if content.labels is None else LabelReading.from_plain(content.labels, where)
        for name, count in Counter(video.path for video in videos).items():
            if count > 1:
                raise DataError(f"{where} is damaged: it has '{name}' {count} times.", _MAKE_ONE)
        for video in videos:
            inside_root(video.path, f"the manifest '{path}'")
        if root is None:
            some = [video.path for video in videos[:_LOOKED_AT]]
            root = found_root(written, content.way, path, lambda place: any(exists(place / name) for name in some))
        return cls(root=root, videos=videos, overlooked=missed, reading=reading)


def _to_row(video: Video) -> dict[str, Any]:
    row = asdict(video)
    row["keyframes"] = list(video.keyframes)
    row["attributes"] = dict(video.attributes)
    return row


def _from_row(row: Any, where: str) -> Video:
    if isinstance(row, Mapping):  # keys of later versions are passed over
        row = {key: value for key, value in row.items() if key in Video.__dataclass_fields__}
        row |= {key: empty for key, empty in (("keyframes", ()), ("attributes", {})) if row.get(key) is None}
    video = shaped(row, Video, where, error=DataError, hint=_MAKE_ONE)
    for name in ("width", "height", "fps", "frames", "duration", "audio_rate", "audio_duration", "size"):
        if not 0 <= getattr(video, name) < _MOST:  # NaN is not
            raise DataError(f"{where} is damaged: {name} is {getattr(video, name)}.", _MAKE_ONE)
    if any(not 0 <= number < _MOST for number in video.keyframes):
        raise DataError(f"{where} is damaged: keyframes are no numbers of frames.", _MAKE_ONE)
    if any(unwritable(text) for text in (video.path, video.label, video.source, video.split) if text is not None):
        raise DataError(f"{where} is damaged: a name in it is no text.", _MAKE_ONE)
    return video


class _Content(NamedTuple):
    """A manifest's file: the root and the way to it, what was overlooked, how the labels were read, and the rows."""

    root: str
    way: Any
    overlooked: Any
    labels: Any
    rows: Any


def _read_json(path: Path) -> _Content:
    content = load_json(path)
    if not isinstance(content, dict) or content.get("kinema_manifest") != _FORMAT:
        raise ValueError("it does not say that it is one")
    for key, kind in (("root", str), ("videos", list)):
        if not isinstance(content.get(key), kind):
            raise ValueError(f"it has no '{key}'")
    way = content.get(_WAY)
    if not isinstance(way, str | None):
        raise ValueError(f"'{_WAY}' is no text")
    return _Content(content["root"], way, content.get("overlooked"), content.get("labels"), content["videos"])


def _read_parquet(path: Path) -> _Content:
    _, parquet = _pyarrow()
    table = parquet.read_table(path)
    metadata = table.schema.metadata or {}
    if metadata.get(b"kinema_manifest") != str(_FORMAT).encode():
        raise ValueError("it does not say that it is one")
    rows = table.to_pylist(maps_as_pydicts="strict")
    if b"root" not in metadata:
        raise ValueError("it names no root")
    overlooked, labels = (parse_json(metadata.get(name, b"null")) for name in (b"overlooked", b"labels"))
    return _Content(metadata[b"root"].decode(), metadata.get(_WAY.encode(), b"").decode(), overlooked, labels, rows)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "Parquet manifests need the package 'pyarrow', which is not installed.",
            "Install it with `pip install pyarrow`, or name the manifest with the ending .json.",
        ) from error
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    kinds = {
        "str": arrow.string(),
        "str | None": arrow.string(),
        "Health": arrow.string(),
        "int": arrow.int64(),
        "float": arrow.float64(),
        "bool": arrow.bool_(),
        "bool | None": arrow.bool_(),
        "tuple[int, ...]": arrow.list_(arrow.int32()),
        "Mapping[str, str]": arrow.map_(arrow.string(), arrow.string()),
    }
    return arrow.schema([arrow.field(item.name, kinds[str(item.type)]) for item in fields(Video)])
