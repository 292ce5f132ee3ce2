"""How fast packed codes are searched, how much memory that takes, and how much an index that may miss some finds.

    python benchmarks/codes.py                       # 10^6 codes of 64 bits
    python benchmarks/codes.py --rows 1000000 10000000

Codes are drawn about 1,000 others, each bit turned with a chance of a tenth, so that neighbours mean something; queries
are drawn in the same way and are not among them. Every way answers the same queries one at a time, in turns of twenty,
so that what else the machine does is shared by all; ratios are of medians to FAISS' flat binary index, of the
processor's time, which a busy machine changes least. Each way also has a process of its own for its memory: the most
that it has beside the codes, while it is built and asked. Recall@10 counts a find that is as near as the tenth. Needs
the extra kinema[faiss]. One thread of each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import record
from memory import Peak
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kinema.core.codes import Codes
from kinema.core.version import source_version
from kinema.searching.codes import CodeIndex

BITS, NEAREST, CENTRES, TURNED, BLOCK = 64, 10, 1000, 0.1, 20
Answer = Callable[[Codes], NDArray[np.int32]]
"""The distances of the nearest codes that were found, by a query of [1, bytes]."""

console = Console(stderr=True)


def drawn(rows: int, seed: int) -> Codes:
    """Codes about others that are the same for every seed, uint8 [rows, 8]."""
    centres = np.random.default_rng(0).integers(0, 256, (CENTRES, BITS // 8), dtype=np.uint8)
    draw = np.random.default_rng(seed)
    found = np.empty((rows, BITS // 8), np.uint8)
    for at in range(0, rows, 1 << 18):
        count = min(rows - at, 1 << 18)
        noise = np.packbits(draw.random((count, BITS), dtype=np.float32) < TURNED, axis=1)
        found[at : at + count] = centres[draw.integers(0, CENTRES, count)] ^ noise
    return found


def ours(engine: Any) -> Callable[[Codes], Answer]:
    """The search of kinema."""

    def build(codes: Codes) -> Answer:
        index = CodeIndex(codes, engine=engine)
        return lambda query: index.search(query, NEAREST)[0][0]

    return build


def faiss_index(kind: str) -> Callable[[Codes], Answer]:
    """FAISS' binary indexes: flat; the multi-index of four tables of 16 bits with a bit turned; IVF; HNSW."""

    def build(codes: Codes) -> Answer:
        import faiss

        faiss.omp_set_num_threads(1)
        index: Any = faiss.IndexBinaryFlat(BITS)
        if kind == "multi-index":
            index = faiss.IndexBinaryMultiHash(BITS, 4, 16)
            index.nflip = 1
        elif kind == "ivf":
            quantizer = faiss.IndexBinaryFlat(BITS)
            index = faiss.IndexBinaryIVF(quantizer, BITS, CENTRES)
            index.nprobe = 10
            index.train(codes[: 50 * CENTRES])
            index._quantizer = quantizer  # FAISS does not keep it
        elif kind == "hnsw":
            index = faiss.IndexBinaryHNSW(BITS, 16)
            index.hnsw.efSearch = 64
        index.add(codes)
        found: Answer = lambda query: index.search(query, NEAREST)[0][0]  # noqa: E731
        return found

    return build


WAYS: dict[str, Callable[[Codes], Answer]] = {
    "faiss flat": faiss_index("flat"),
    "kinema numpy": ours("numpy"),
    "kinema faiss": ours("faiss"),
    "kinema multi-index": ours("multi-index"),
    "faiss multi-index": faiss_index("multi-index"),
    "faiss ivf": faiss_index("ivf"),
    "faiss hnsw": faiss_index("hnsw"),
}

USUAL = [way for way in WAYS if way != "faiss hnsw"]
"""FAISS took six minutes to build HNSW over 10^6 codes."""


def memory_of(way: str, rows: int) -> float:
    """MiB that a way has at most beside the codes, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "codes.npy", drawn(rows, 1))
        command = [sys.executable, __file__, "--memory", way, "--codes", str(Path(folder) / "codes.npy")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["mib"])


def tell_memory(way: str, file: str) -> None:
    """Prints it, in that process, which has drawn nothing, so that no memory lies there to be used again."""
    codes, queries = np.load(file), np.load(file)[:20] ^ np.uint8(1)
    if "faiss" in way:
        import faiss  # noqa: F401 - the library itself is not counted
    peak = Peak()
    answer = WAYS[way](codes)
    for row in range(len(queries)):
        answer(queries[row : row + 1])
    print(json.dumps({"mib": peak.mib()}))


def searching(rows: int, count: int, ways: list[str]) -> dict[str, dict[str, float]]:
    """Milliseconds a query of every way, recall@10 and memory."""
    codes, queries = drawn(rows, 1), drawn(count, 2)
    found: dict[str, dict[str, float]] = {}
    answers: dict[str, Answer] = {}
    for way in ways:
        began = time.perf_counter()
        answers[way] = WAYS[way](codes)
        found[way] = {"build_seconds": time.perf_counter() - began}
        console.print(f"{way}: built in {found[way]['build_seconds']:.1f} s", highlight=False)
    exact = CodeIndex(codes, engine="numpy").search(queries, NEAREST)[0]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    worked: dict[str, list[float]] = {way: [] for way in ways}
    right: dict[str, int] = dict.fromkeys(ways, 0)
    for answer in answers.values():
        answer(queries[:1])
    for block in range(0, count, BLOCK):
        for way, answer in answers.items():
            for row in range(block, min(block + BLOCK, count)):
                query = queries[row : row + 1]
                began, used = time.perf_counter(), time.thread_time()
                near = answer(query)
                worked[way].append(time.thread_time() - used)
                seconds[way].append(time.perf_counter() - began)
                right[way] += int(((near >= 0) & (near <= exact[row, -1])).sum())
    for way in ways:
        p50, p99 = np.percentile(seconds[way], [50, 99]) * 1000
        found[way] |= {"p50_ms": float(p50), "p99_ms": float(p99)}
        found[way]["p50_cpu_ms"] = float(np.median(worked[way])) * 1000
        found[way] |= {"recall@10": right[way] / (NEAREST * count), "memory_mib": memory_of(way, rows)}
    for way in ways if "faiss flat" in found else ():
        found[way]["ratio_to_faiss_flat"] = found[way]["p50_cpu_ms"] / found["faiss flat"]["p50_cpu_ms"]
    return found


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[10**6])
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument(
        "--ways", nargs="*", choices=tuple(WAYS), default=USUAL, help="without faiss hnsw, slow to build"
    )
    parser.add_argument("--memory", default="", help=argparse.SUPPRESS)
    parser.add_argument("--codes", default="", help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="write no results")
    asked = parser.parse_args()
    if asked.memory:
        tell_memory(asked.memory, asked.codes)
        return
    results = record.read("codes").get("searching", {})
    table = Table(
        "codes",
        "way",
        "p50, ms",
        "p99, ms",
        "p50 of the processor, ms",
        "to faiss flat",
        "recall@10",
        "MiB beside",
        "built in, s",
    )
    for rows in asked.rows:
        quoted = " ".join(f"'{way}'" for way in asked.ways)
        command = f"python benchmarks/codes.py --rows {rows} --queries {asked.queries} --ways {quoted}"
        told = searching(rows, asked.queries, asked.ways)
        by = {"command": command, "commit": source_version()}
        results[str(rows)] = results.get(str(rows), {}) | {way: {**figures, **by} for way, figures in told.items()}
        if not asked.dry:
            settings = {"bits": BITS, "centres": CENTRES, "turned": TURNED, "seeds": [1, 2]}
            record.write("codes", command, packages=("faiss-cpu",), **settings, searching=results)
        for way, figures in told.items():
            names = (
                "p50_ms",
                "p99_ms",
                "p50_cpu_ms",
                "ratio_to_faiss_flat",
                "recall@10",
                "memory_mib",
                "build_seconds",
            )
            shown = [f"{figures.get(name, float('nan')):.3g}" for name in names]
            table.add_row(f"{rows:,}", way, *shown)
    Console().print(table)


if __name__ == "__main__":
    main()
