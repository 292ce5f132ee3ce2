"""A copy of a small table of videos, for ``kinema search``: it answers without LanceDB and torch, which take seconds.

The copy is one file of arrays beside the table. It is of one state of the table, by its manifests, and is not used for
any other; whatever it cannot answer, a condition for instance, is asked of the table. It holds what a hit tells,
without pictures.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import KinemaError
from kinema.core.files import write_atomic
from kinema.core.reading import parse_json
from kinema.data.video.files import exists, on_disk, status
from kinema.searching.checksums import check_files
from kinema.searching.hits import MAX_HITS, Found, Hit, Row, alike, distinct, hit_of
from kinema.searching.layout import VIDEOS

COPY = "quick.npz"
"""Its name, in the folder of the table."""

MOST_ROWS, MOST_BYTES = 100_000, 256 << 20
"""Tables of more rows, or of more bytes of vectors, get no copy."""

_TEXTS = ("video", "label", "cluster_name")
_NUMBERS = ("start", "end", "frame", "size", "mtime_ns")
_LOOKED_AT = 20
_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32"}
_TYPES |= {"I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}


@dataclass(frozen=True)
class Copy:
    """What a table holds.

    Args:
        folder: of the table.
        vectors: float32 [N, d].
        whole: bool [N], rows of whole videos; the others are of windows.
        columns: of the rows, by their names.
        settings: of the table, as JSON values.
        centre: of the table; None for none.
        root: the folder of the videos when they were embedded.
        way: to it from the table; empty where there is none.
    """

    folder: Path
    vectors: NDArray[np.float32]
    whole: NDArray[np.bool_]
    columns: Mapping[str, NDArray[Any] | list[Any]]
    settings: Mapping[str, Any]
    centre: list[float] | None
    root: Path
    way: str

    def home(self) -> tuple[Path, bool]:
        """The folder of the videos now, and whether it is there; see :func:`kinema.searching.roots.home_of`."""
        some = [self.columns["video"][row] for row in np.flatnonzero(self.whole)[:_LOOKED_AT].tolist()]
        beside = self.folder.resolve() / self.way
        for folder in (self.root, *([beside] if self.way else [])):
            if folder.is_dir() and (not some or any(exists(folder / name) for name in some)):
                return folder.resolve(), True
        return self.root, self.root.is_dir()

    def row_of(self, file: Path) -> int | None:
        """The row of a whole video, by its file; None where it is not in the table or has changed since."""
        home, there = self.home()
        real = file.resolve()
        if not there or not real.is_relative_to(home):
            return None
        name = real.relative_to(home).as_posix()
        rows = [row for row in np.flatnonzero(self.whole).tolist() if self.columns["video"][row] == name]
        if not rows:
            return None
        known = tuple(int(self.columns[column][rows[0]]) for column in ("size", "mtime_ns"))
        return rows[0] if known == status(real) else None

    def nearest(
        self, vector: NDArray[np.float32], k: int, *, over: str | None, without: str | None
    ) -> tuple[list[Row], bool]:
        """The k nearest distinct rows, and whether no further search could find more; all are compared.

        Args:
            vector: float32 [d], of unit length.
            k: hits.
            over: 'windows', the usual, or 'videos'.
            without: the path of a video that does not count.
        """
        counted = self.whole if over == "videos" else ~self.whole
        if without is not None:
            counted &= np.array([name != without for name in self.columns["video"]])
        rows = np.flatnonzero(counted)
        scores = self.vectors[rows] @ vector
        order = rows[np.argsort(-scores, kind="stable")]

        def near(limit: int) -> list[Row]:
            return [self._row(row, vector) for row in order[:limit].tolist()]

        return distinct(near, k, VIDEOS.whole)

    def _row(self, row: int, vector: NDArray[np.float32]) -> Row:
        row_facts = {name: self.columns[name][row] for name in (*_TEXTS, "cluster")}
        row_facts |= {name: self.columns[name][row].item() for name in ("start", "end", "frame")}
        distance = 1.0 - float(self.vectors[row] @ vector)
        return row_facts | {"vector": self.vectors[row], "_distance": distance, "thumbnail": b""}


def read_copy(uri: str) -> Copy | None:
    """The copy of a table; None where there is none, or it is not of the table as it is now.

    Args:
        uri: of the table.

    Raises:
        StorageError: the table's files are damaged.
    """
    folder = Path(uri)
    if "://" in uri or not (folder / COPY).is_file():
        return None
    check_files(folder)
    try:
        with np.load(folder / COPY, allow_pickle=False) as file:
            about = parse_json(bytes(file["about"]))
            if about["state"] != _state(folder):
                return None
            arrays = {name: file[name] for name in ("vectors", "whole", *_NUMBERS)}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):  # it is only a copy
        return None
    columns = {name: arrays[name] for name in _NUMBERS} | about["columns"]
    lengths = {len(column) for column in (*columns.values(), arrays["vectors"], arrays["whole"])}
    if len(lengths) != 1:
        return None
    meta = {name: about[name] for name in ("settings", "centre", "way")}
    return Copy(folder, arrays["vectors"], arrays["whole"], columns, root=Path(about["root"]), **meta)


def write_copy(uri: str) -> bool:
    """Writes the copy of a small table of videos in a folder; whether it did. What hinders it is no error.

    Args:
        uri: of the table.
    """
    from kinema.searching import database
    from kinema.searching.changes import root_of_table
    from kinema.searching.index import has_index
    from kinema.searching.layout import layout_of
    from kinema.searching.roots import HERE
    from kinema.searching.schema import centre_of, vectors_in

    if "://" in uri:
        return False
    folder = Path(uri)
    with suppress(KinemaError, OSError):
        state = _state(folder)
        table = database.open_table(uri)
        if table is None or layout_of(table) != VIDEOS or has_index(table):
            return False
        rows = table.count_rows()
        if rows >= MOST_ROWS or rows * 4 * table.schema.field("vector").type.list_size > MOST_BYTES:
            return False
        held = table.search().select([*_TEXTS, *_NUMBERS, "cluster", "kind", "vector"]).to_arrow()
        centre, metadata = centre_of(table), table.schema.metadata
        about = {
            "state": state,
            "columns": {name: held[name].to_pylist() for name in (*_TEXTS, "cluster")},
            "settings": parse_json(metadata[b"kinema"]),
            "centre": None if centre is None else centre.tolist(),
            "root": str(root_of_table(table)),
            "way": (table.schema.field(VIDEOS.whole).metadata or {}).get(HERE, b"").decode(),
        }
        buffer = io.BytesIO()
        np.savez(
            buffer,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            vectors=vectors_in(held),
            whole=np.array([kind == VIDEOS.whole for kind in held["kind"].to_pylist()]),
            **{name: held[name].fill_null(0).to_numpy() for name in _NUMBERS},
        )
        if _state(folder) != state:
            return False
        write_atomic(folder / COPY, lambda file: file.write(buffer.getbuffer()))
        return True
    return False


def find_stored(run: Path, uri: str, query: str, *, k: int, over: str | None, others: bool) -> Found[Hit] | None:
    """Searches a small table with one of its own videos; None where that has to be asked of the table, or the encoder.

    Args:
        run: the run's folder, whose encoder must be the table's.
        uri: of the table.
        query: a path.
        k: hits.
        over: 'windows', the usual, or 'videos'.
        others: leaves the query's own windows out.

    Raises:
        StorageError: the table's files are damaged.
    """
    began = time.monotonic()
    if not query or "\0" in query or not 1 <= k <= MAX_HITS or over not in (None, "windows", "videos"):
        return None
    file = on_disk(Path(query))
    if not file.is_file():
        return None
    copy = read_copy(uri)
    row = None if copy is None else copy.row_of(file)
    if copy is None or row is None or not is_encoder_of(run, copy.settings):
        return None
    own = copy.columns["video"][row] if others else None
    return found_in(copy, query, copy.vectors[row], k=k, over=over, without=own, notes=(), began=began)


def found_in(
    copy: Copy,
    query: str,
    vector: NDArray[np.float32],
    *,
    k: int,
    over: str | None,
    without: str | None,
    notes: Sequence[str],
    began: float,
) -> Found[Hit]:
    """The result of a search of a copy.

    Args:
        copy: of the table.
        query: as text.
        vector: float32 [d], of unit length.
        k: hits.
        over: 'windows', the usual, or 'videos'.
        without: the path of a video that does not count.
        notes: for the user, of the query; empty ones are left out.
        began: start on the monotonic clock.
    """
    rows, all_seen = copy.nearest(vector, k, over=over, without=without)
    near, unlike = alike(rows, k)
    most = f"The nearest {MAX_HITS} windows are {len(rows)} stretches; --over videos finds more videos."
    said = tuple(note for note in (*notes, "" if all_seen else most, unlike) if note)
    total = int(copy.whole.sum() if over == "videos" else (~copy.whole).sum())
    hits = tuple(hit_of(row) for row in near)
    return Found(query, hits, True, total, copy.home()[0], said, time.monotonic() - began)


def is_encoder_of(run: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a run's encoders, as its files have them, made a table; what is not certain is False.

    Args:
        run: its folder.
        settings: of the table.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        digests = []
        for view in str(settings["view"]).split("+"):
            if "/" in view or settings.get("space", "embedding") != "embedding":
                return False
            file = sorted(run.glob(f"phases/*/tower-{view}.safetensors"))[-1:]
            digests += [weights_digest(each, "encoder.") for each in file]
        return bool(digests) and "+".join(digests) == settings["digest"]
    return False


def weights_digest(file: Path, part: str) -> str:
    """SHA-256, in hexadecimal, of the weights of a part of a tower: that of the module, computed from its file.

    Args:
        file: of safetensors.
        part: how the names of its tensors begin.

    Raises:
        ValueError: it is no such file.
    """
    content = memoryview(file.read_bytes())
    length = int.from_bytes(content[:8], "little")
    if length > len(content) - 8:
        raise ValueError("its head is longer than the file")
    head, values = parse_json(bytes(content[8 : 8 + length])), content[8 + length :]
    digest = hashlib.sha256()
    for name in sorted(name for name in head if name.startswith(part)):
        begin, end = head[name]["data_offsets"]
        kind, shape = f"torch.{_TYPES[head[name]['dtype']]}", tuple(head[name]["shape"])
        digest.update(f"{name.removeprefix(part)} {kind} {shape}\n".encode())
        digest.update(values[begin:end])
    return digest.hexdigest()


def _state(folder: Path) -> list[list[Any]]:
    """The manifests of the table in a folder: they change whenever it does."""
    files = sorted(folder.glob("*.lance/_versions/*.manifest"))
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
