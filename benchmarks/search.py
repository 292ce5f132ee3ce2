"""How fast a table is searched, and how much of what is nearest is found; how fast videos are embedded.

    python benchmarks/search.py                        # 10^5 rows; the encoder on videos that it draws
    python benchmarks/search.py --rows 100000 1000000  # 10^6 too: some 10 GB of disk, and of memory for the peers

Rows are unit vectors of 512 numbers, drawn about 1,000 directions, so that neighbours mean something; queries are drawn
in the same way and are not in the table. Every way answers the same queries one at a time, after ten that warm it up;
what exact search by plain torch says is the truth that recall@10 is measured by. FAISS is the peer: flat and HNSW.
Embedding is compared with the bare encoder on clips that are in memory. Needs the extras kinema[search,peers]. Writes
results/search.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from film import film
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kinema import api_search
from kinema.core.records import ClipSpec, RawClips
from kinema.data.manifest import Video
from kinema.encoders import EncoderConfig, HeadConfig, Tower
from kinema.model import Model
from kinema.searching import place
from kinema.searching.encode import Shot, Shots
from kinema.searching.index import nearest, renew_index
from kinema.searching.schema import Making, arrow, rows_of, schema_of

DIM, NEAREST, CENTRES, WINDOWS = 512, 10, 1000, 50
Answer = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def drawn(rows: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors about directions that are the same for every seed."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, DIM)).astype(np.float32)
    draw = np.random.default_rng(seed)
    found = centres[draw.integers(0, CENTRES, rows)] + draw.standard_normal((rows, DIM), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def filled(folder: Path, vectors: NDArray[np.float32]) -> Any:
    """A table of kinema's with these windows, fifty a video; a window's number is in its id."""
    making = Making("random", "rgb", "0" * 64, DIM, {"frames": 8}, "clip", "usual")
    table = place.connect(str(folder)).create_table(place.TABLE, schema=schema_of(making, []))
    for at in range(0, len(vectors), 200 * WINDOWS):
        rows = []
        for first in range(at, min(at + 200 * WINDOWS, len(vectors)), WINDOWS):
            own = vectors[first : first + WINDOWS]
            shots = tuple(Shot(i, 25, float(i), i + 1.0, vector, b"") for i, vector in enumerate(own))
            whole = Shot(0, 25, 0.0, 1.0, own[0], b"")
            rows += rows_of(Video(path=f"{first}", frames=25, fps=25.0), Shots(shots, whole), making, {})
        table.add(arrow(rows, table.schema))
    table.optimize()
    return table


def ours(table: Any, *, exact: bool) -> Answer:
    """The search of kinema, which gives windows by their ids."""

    def answer(query: NDArray[np.float32]) -> NDArray[np.int64]:
        found = nearest(table, query, NEAREST, exact=exact, where="kind = 'window'", columns=["video", "frame"])
        return np.asarray(found["video"].to_pylist(), dtype=np.int64) + found["frame"].to_numpy()

    return answer


def plain_torch(vectors: NDArray[np.float32]) -> Answer:
    """One product and a top-k."""
    rows = torch.from_numpy(vectors)
    return lambda query: (rows @ torch.from_numpy(query)).topk(NEAREST).indices.numpy()


def faiss_index(vectors: NDArray[np.float32], kind: str) -> Answer:
    """FAISS over inner products; HNSW with 32 links, 200 candidates to build and 64 to search."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    if kind == "flat":
        index = faiss.IndexFlatIP(DIM)
    else:
        index = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = 200, 64
    index.add(vectors)
    return lambda query: index.search(query[None], NEAREST)[1][0]


def timed(answer: Answer, queries: NDArray[np.float32], truth: list[set[int]]) -> dict[str, float]:
    """Milliseconds a query, and recall@10."""
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


def searching(rows: int, count: int, kinds: list[str]) -> dict[str, Any]:
    """Every way to search one table."""
    vectors, queries = drawn(rows, 1), drawn(count, 2)
    exact = plain_torch(vectors)
    truth = [set(exact(query).tolist()) for query in queries]
    found: dict[str, Any] = {"torch": timed(exact, queries, truth)}
    for kind in ("flat", "hnsw"):
        began = time.perf_counter()
        peer = faiss_index(vectors, kind)
        building = time.perf_counter() - began
        found[f"faiss {kind}"] = timed(peer, queries, truth) | {"build_seconds": building}
        del peer
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        table = filled(Path(folder), vectors)
        building = time.perf_counter() - began
        found["kinema exact"] = timed(ours(table, exact=True), queries, truth) | {"build_seconds": building}
        for kind in kinds:
            began = time.perf_counter()
            made = renew_index(table, kind)  # type: ignore[arg-type]
            building = time.perf_counter() - began
            told = timed(ours(table, exact=False), queries, truth) | {"build_seconds": building}
            found[f"kinema {kind}"] = told | {"recall@10, as embed tells it": made.recall if made else 1.0}
    return found


def embedding(videos: int, frames: int) -> dict[str, float]:
    """Clips a second of the bare encoder, and of an embedding from files to a table."""
    torch.manual_seed(0)
    clip = ClipSpec()
    model = Model(Tower("rgb", EncoderConfig("slim"), HeadConfig()), "rgb", clip, name="random")
    shape = (32, 1, clip.frames + 1, clip.short_side, clip.short_side * 4 // 3, 3)
    zero, extent = torch.zeros(32, dtype=torch.int64), torch.tensor([shape[3:5]] * 32)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    raw = RawClips(pixels, None, None, extent, None, zero, zero, zero - 1)
    model.encode_clips(raw)
    began, turns = time.perf_counter(), 10
    for _ in range(turns):
        model.encode_clips(raw)
    bare = turns * 32 / (time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as place_of:
        folder = Path(place_of) / "videos"
        folder.mkdir()
        for number in range(videos):
            film(folder / f"{number}.mp4", frames, number)
        done = api_search.embed(model, folder, out=Path(place_of) / "index")
    whole = done.windows / done.seconds
    return {"bare_clips_per_second": bare, "embed_clips_per_second": whole, "share": whole / bare}


def main() -> None:
    """Prints the tables and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--kinds", nargs="*", default=["ivf-pq", "hnsw"], help="indexes of kinema to measure")
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--frames", type=int, default=500, help="of each video")
    parser.add_argument("--dry", action="store_true", help="write no results")
    asked = parser.parse_args()
    found = {str(rows): searching(rows, asked.queries, asked.kinds) for rows in asked.rows}
    table = Table("rows", "way", "p50, ms", "p99, ms", "recall@10", "built in, s")
    for rows, ways in found.items():
        for way, told in ways.items():
            figures = [f"{told[name]:.2f}" for name in ("p50_ms", "p99_ms")] + [f"{told['recall@10']:.3f}"]
            table.add_row(rows, way, *figures, f"{told.get('build_seconds', 0):.1f}")
    Console().print(table)
    speed = embedding(asked.videos, asked.frames)
    print(", ".join(f"{name} {value:.2f}" for name, value in speed.items()))
    if not asked.dry:
        command = f"python benchmarks/search.py --rows {' '.join(map(str, asked.rows))} --queries {asked.queries}"
        command += f" --kinds {' '.join(asked.kinds)} --videos {asked.videos} --frames {asked.frames}"
        record.write(
            "search",
            command,
            packages=("lancedb", "faiss-cpu"),
            seeds=[1, 2],
            dim=DIM,
            searching=found,
            embedding=speed,
        )


if __name__ == "__main__":
    main()
