"""How fast a table is searched, and how much of what is nearest is found; how fast videos are embedded.

    python benchmarks/search.py                        # 10^5 rows; the encoder on videos that it draws
    python benchmarks/search.py --rows 100000 1000000  # 10^6 too: some 10 GB of disk, and of memory for the peers

Rows are unit vectors of 512 numbers, drawn about 1,000 directions, so that neighbours mean something; queries are drawn
in the same way and are not in the table. Every way answers the same queries one at a time, after ten that warm it up;
what exact search by plain torch says is the truth that recall@10 is measured by. FAISS is the peer: flat and HNSW.
Embedding is compared with the bare encoder on clips that are in memory, for a slim network and one of the papers' size.
Needs the extras kinema[search,peers]. Each size and each encoder is written into results/search.json when it is done;
the others that are there stay.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from film import film
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from served_search import served, wandering

from kinema.api import searching as api_search
from kinema.core.clips import ClipSpec, RawClips
from kinema.core.version import source_version
from kinema.data.clips.reader import Model
from kinema.data.video.manifest import Video
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.searching import database
from kinema.searching.encode import VideoEmbeddings, WindowEmbedding, clip_starts
from kinema.searching.index import nearest, update_index
from kinema.searching.prefetch import prefetch
from kinema.searching.reading import Chunk, read_clips
from kinema.searching.schema import TableSettings, arrow, rows_of, schema_of
from kinema.searching.windows import WindowSpec

DIM, NEAREST, CENTRES, WINDOWS = 512, 10, 1000, 50
Answer = Callable[[NDArray[np.float32]], NDArray[np.int64]]
console = Console(stderr=True)


def drawn(rows: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors about directions that are the same for every seed."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, DIM)).astype(np.float32)
    draw = np.random.default_rng(seed)
    found: NDArray[np.float32] = centres[draw.integers(0, CENTRES, rows)]
    found += draw.standard_normal((rows, DIM), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def filled(folder: Path, vectors: NDArray[np.float32], making: TableSettings | None = None) -> Any:
    """A table of kinema's with these windows, fifty a video; a window's number is in its id."""
    making = making or TableSettings("random", "rgb", "0" * 64, DIM, {"frames": 8}, "clip", "usual")
    table = database.connect(str(folder)).create_table(database.TABLE, schema=schema_of(making, []))
    for at in range(0, len(vectors), 200 * WINDOWS):
        rows = []
        for first in range(at, min(at + 200 * WINDOWS, len(vectors)), WINDOWS):
            own = vectors[first : first + WINDOWS]
            shots = tuple(WindowEmbedding(i, 25, float(i), i + 1.0, vector, b"") for i, vector in enumerate(own))
            whole = WindowEmbedding(0, 25, 0.0, 1.0, own[0], b"")
            rows += rows_of(Video(path=f"{first}", frames=25, fps=25.0), VideoEmbeddings(shots, whole), making, {})
        table.add(arrow(rows, table.schema))
    table.optimize()
    return table


def ours(table: Any, *, exact: bool) -> Answer:
    """The search of kinema, which gives windows by their ids."""

    def answer(query: NDArray[np.float32]) -> NDArray[np.int64]:
        found = nearest(table, query, NEAREST, exact=exact, where="kind = 'window'", columns=["video", "frame"])
        numbers: NDArray[np.int64] = np.asarray(found["video"].to_pylist(), dtype=np.int64) + found["frame"].to_numpy()
        return numbers

    return answer


def plain_torch(vectors: NDArray[np.float32]) -> Answer:
    """One product and a top-k."""
    rows = torch.from_numpy(vectors)
    return lambda query: (rows @ torch.from_numpy(query)).topk(NEAREST).indices.numpy()


def faiss_index(vectors: NDArray[np.float32], kind: str, construction: int) -> Answer:
    """FAISS over inner products; HNSW with 32 links, so many candidates to build and 64 to search."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index: Any = faiss.IndexFlatIP(DIM)
    if kind != "flat":
        index = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = construction, 64
    index.add(vectors)
    return lambda query: index.search(query[None], NEAREST)[1][0]


def timed(answer: Answer, queries: NDArray[np.float32], truth: list[set[int]]) -> dict[str, float]:
    """Milliseconds a query, and recall@10."""
    console.print("asking", highlight=False)
    for query in queries[:10]:
        answer(query)
    seconds, found = [], 0
    for query, right in zip(queries, truth, strict=True):
        began = time.perf_counter()
        got = answer(query)
        seconds.append(time.perf_counter() - began)
        found += len(right & set(got.tolist()))
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return {"p50_ms": float(p50), "p99_ms": float(p99), "recall@10": found / (NEAREST * len(queries))}


def searching(rows: int, count: int, kinds: list[str], peers: list[str], construction: int) -> dict[str, Any]:
    """Every way to search one table."""
    vectors, queries = drawn(rows, 1), drawn(count, 2)
    exact = plain_torch(vectors)
    truth = [set(exact(query).tolist()) for query in queries]
    found: dict[str, Any] = {"torch": timed(exact, queries, truth)} if peers else {}
    for kind in peers:
        console.print(f"building faiss {kind} of {rows} rows", highlight=False)
        began = time.perf_counter()
        peer = faiss_index(vectors, kind, construction)
        building = time.perf_counter() - began
        found[f"faiss {kind}"] = timed(peer, queries, truth) | {"build_seconds": building}
        del peer
    with tempfile.TemporaryDirectory() as folder:
        console.print(f"filling a table with {rows} rows", highlight=False)
        began = time.perf_counter()
        table = filled(Path(folder), vectors)
        building = time.perf_counter() - began
        if "exact" in kinds:
            found["kinema exact"] = timed(ours(table, exact=True), queries, truth) | {"build_seconds": building}
        for kind in (kind for kind in kinds if kind != "exact"):
            console.print(f"building kinema {kind} of {rows} rows", highlight=False)
            began = time.perf_counter()
            made = update_index(table, kind)  # type: ignore[arg-type]
            building = time.perf_counter() - began
            told = timed(ours(table, exact=False), queries, truth) | {"build_seconds": building}
            found[f"kinema {kind}"] = told | {"recall@10, as embed tells it": made.recall if made else 1.0}
    return found


ENCODERS: dict[str, tuple[EncoderConfig, ClipSpec]] = {
    "slim": (EncoderConfig("slim"), ClipSpec()),
    "r3d18": (EncoderConfig("r3d18"), ClipSpec(frames=16, stride=2, size=112, short_side=128)),
}
"""A network for two cores, and one of the papers' size."""


def bare(model: Model, seconds: float = 10.0) -> float:
    """Clips a second of an encoder that finds them in memory, in batches of 32."""
    clip = model.clip
    shape = (32, 1, clip.frames + 1, clip.short_side, clip.short_side * 4 // 3, 3)
    zero, extent = torch.zeros(32, dtype=torch.int64), torch.tensor([shape[3:5]] * 32)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    raw = RawClips(pixels, extent, index=zero, source=zero, label=zero - 1)
    model.encode_clips(raw)
    began, turns = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        model.encode_clips(raw)
        turns += 1
    return turns * 32 / (time.perf_counter() - began)


def only_read(model: Model, files: list[Path], frames: int) -> float:
    """Clips a second that two threads read as an embedding does, with nobody to encode them."""

    def reading(file: Path) -> Callable[[], Iterator[Chunk]]:
        starts = clip_starts(WindowSpec().cut(frames, 25.0, model.clip), model.clip)
        return lambda: read_clips(file, frames, model.clip, starts, motion=False)

    began, clips = time.perf_counter(), 0
    for chunks in prefetch([reading(file) for file in files], workers=2):
        clips += sum(len(chunk.starts) for chunk in chunks)
    return clips / (time.perf_counter() - began)


def embedding(name: str, videos: int, frames: int) -> dict[str, float]:
    """Clips a second: of the bare encoder, of reading alone, and of an embedding from files to a table.

    Half of the videos make the table, which takes its centre too ("new table"); the others are added to it
    ("embedding"). Where one machine reads and encodes with the same cores, none is faster than "bound".
    """
    torch.manual_seed(0)
    encoder, clip = ENCODERS[name]
    model = Model(Tower("rgb", encoder, HeadConfig()), "rgb", clip, name="random")
    found = {"bare": bare(model)}
    with tempfile.TemporaryDirectory() as place_of:
        folder, out = Path(place_of) / "videos", Path(place_of) / "index"
        folder.mkdir()
        files = [folder / f"{number}.mp4" for number in range(videos)]
        for number, file in enumerate(files[: videos // 2]):
            film(file, frames, number)
        new: Any = api_search.embed(model, folder, out=out)
        for number, file in enumerate(files[videos // 2 :], videos // 2):
            film(file, frames, number)
        done: Any = api_search.embed(model, folder, out=out)
        found["reading"] = only_read(model, files, frames)
    found["bound"] = 1 / (1 / found["bare"] + 1 / found["reading"])
    found |= {"new table": new.windows / new.seconds, "embedding": (done.windows - new.windows) / done.seconds}
    found |= {"windows": done.windows, "share": found["embedding"] / found["bare"]}
    console.print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in found.items()), highlight=False)
    return found


def serve(rows: int, drawing: str, asked: argparse.Namespace, keep: Callable[..., None]) -> None:
    """Searches of a server, each way kept when it is measured."""
    settings = f"--rows {rows} --queries {asked.queries} --kinds --peers --encoders --served {drawing}"
    settings += f" --index {asked.index} --slow {asked.slow}"
    if drawing == "directions":
        vectors, queries = drawn(rows, 1), drawn(asked.queries, 2)
    else:
        vectors, queries = wandering(rows, 1), wandering(asked.queries * WINDOWS, 2)[::WINDOWS].copy()

    def told(way: str, figures: dict[str, Any]) -> None:
        console.print(f"{rows} {drawing}, {way}: {figures}", highlight=False)
        keep("serving", f"{rows} {drawing}", {way: figures}, settings)

    served(vectors, queries, filled, told, index=asked.index, slow=asked.slow)


def main() -> None:
    """Prints the tables and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--kinds", nargs="*", default=["exact", "ivf-pq", "hnsw"], help="ways of kinema to measure")
    parser.add_argument("--peers", nargs="*", default=["flat", "hnsw"], help="of FAISS; none leaves torch out too")
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--frames", type=int, default=500, help="of each video")
    parser.add_argument("--construction", type=int, default=40, help="candidates to build FAISS' HNSW; 40 is its own")
    parser.add_argument("--encoders", nargs="*", choices=tuple(ENCODERS), default=list(ENCODERS))
    parser.add_argument("--served", nargs="*", choices=("directions", "videos"), default=["directions", "videos"])
    parser.add_argument("--index", default="ivf-pq", help="of the store, to compare serving with; 'none' leaves it out")
    parser.add_argument("--slow", type=int, default=20, help="queries of the slowest ways of serving")
    parser.add_argument("--dry", action="store_true", help="write no results")
    asked = parser.parse_args()
    earlier = record.read("search")
    results = {name: earlier.get(name, {}) for name in ("searching", "serving", "embedding")}

    def keep(what: str, name: str, told: dict[str, dict[str, Any]], settings: str) -> None:
        command = f"python benchmarks/search.py {settings}"
        by = {"command": command, "commit": source_version()}
        results[what].setdefault(name, {}).update({way: figures | by for way, figures in told.items()})
        if not asked.dry:
            record.write("search", command, packages=("lancedb", "faiss-cpu"), seeds=[1, 2], dim=DIM, **results)

    table = Table("rows", "way", "p50, ms", "p99, ms", "recall@10", "built in, s")
    for rows in asked.rows:
        settings = f"--rows {rows} --queries {asked.queries} --kinds {' '.join(asked.kinds)}"
        settings += f" --peers {' '.join(asked.peers)} --construction {asked.construction} --encoders"
        ways = {}
        if asked.kinds or asked.peers:
            ways = searching(rows, asked.queries, asked.kinds, asked.peers, asked.construction)
        keep("searching", str(rows), ways, settings)
        for way, told in ways.items():
            figures = [f"{told[name]:.2f}" for name in ("p50_ms", "p99_ms")] + [f"{told['recall@10']:.3f}"]
            table.add_row(str(rows), way, *figures, f"{told.get('build_seconds', 0):.1f}")
        for drawing in asked.served:
            serve(rows, drawing, asked, keep)
    for name in asked.encoders:
        settings = f"--rows --encoders {name} --videos {asked.videos} --frames {asked.frames}"
        keep("embedding", "encoders", {name: embedding(name, asked.videos, asked.frames)}, settings)
    Console().print(table)


if __name__ == "__main__":
    main()
