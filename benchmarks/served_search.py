"""How fast ``kinema serve`` searches a large table: in memory, and in the store; a part of benchmarks/search.py.

A server runs in this process, and is asked over HTTP on one connection, one query after another. Recall@10 is that of
the vectors by which it answers, against a product with all of them. Two kinds of vectors are drawn: ``directions``, of
which each lies by itself about one of 1,000 directions, and ``videos``, which are more like embeddings of footage: a
spectrum that falls, classes, videos in a class, and 50 windows of a video that wander.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.clips import ClipSpec
from kinema.data.clips.reader import Model
from kinema.networks import EncoderConfig, HeadConfig, Tower
from kinema.searching.index import update_index
from kinema.searching.schema import TableSettings
from kinema.searching.windows import WindowSpec
from kinema.serving.queries import EncodedQuery

DIM, NEAREST, WINDOWS, CLASSES = 512, 10, 50, 400
LIMIT = 96
"""Rows that a search for 24 hits asks for."""
ENDING = "500"
CONDITION = f"video LIKE '%{ENDING}'"
"""Every twentieth video: they are called by the number of their first window."""

Keep = Callable[[str, dict[str, Any]], None]
Array = NDArray[np.float32]


def wandering(rows: int, seed: int) -> Array:
    """Windows of drawn videos, float32 [rows, DIM], of unit length; 50 a video."""
    spectrum = (np.arange(1, DIM + 1) ** -0.5).astype(np.float32)
    classes = np.random.default_rng(0).standard_normal((CLASSES, DIM), dtype=np.float32)
    draw = np.random.default_rng(seed)
    found = np.empty((rows, DIM), np.float32)
    for at in range(0, rows, WINDOWS):
        own = classes[draw.integers(CLASSES)] + 0.8 * draw.standard_normal(DIM, dtype=np.float32)
        steps = draw.standard_normal((min(WINDOWS, rows - at), DIM), dtype=np.float32)
        found[at : at + WINDOWS] = (own + 0.15 * steps.cumsum(0)) * spectrum
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def made_model() -> Model:
    """An encoder of 512 dimensions that learnt nothing."""
    torch.manual_seed(0)
    return Model(Tower("rgb", EncoderConfig("r3d18"), HeadConfig()), "rgb", ClipSpec(), name="random")


def settings_of(model: Model) -> TableSettings:
    """Of a table of its embeddings."""
    return TableSettings.of(model, WindowSpec())


@contextlib.contextmanager
def asked(model: Model, folder: Path, memory_gib: float | None) -> Iterator[tuple[Any, Callable[..., Any]]]:
    """(the application, a search over HTTP by a query's name); memory is ready."""
    import uvicorn

    from kinema import serving
    from kinema.serving.settings import Settings

    footage = folder / "videos"
    footage.mkdir(exist_ok=True)
    (footage / "0").touch()  # of which the server knows the folder
    made = serving.app(model, table=folder, videos=footage, settings=Settings(memory_gib=memory_gib), device="cpu")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(made, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        connection, asked_at = http.client.HTTPConnection("127.0.0.1", port, timeout=600), [0.0]

        def search(query: str, **options: Any) -> Any:
            if time.monotonic() - asked_at[0] > 2:  # by now the server may have closed it
                connection.close()
            asked_at[0] = time.monotonic()
            body = json.dumps({"query": query, **options})
            connection.request("POST", "/api/search", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 200, told
            return told

        connection.request("GET", "/api/archive")
        connection.getresponse().read()
        while not made.state.archive.keeper.wait(60):
            pass
        yield made, search
        server.should_exit = True
        thread.join(60)


def timed(search: Callable[[str], Any], names: list[str]) -> dict[str, float]:
    """Milliseconds a query, after ten that warm it up: by the clock, and of the processor, over all threads."""
    for name in names[:10]:
        search(name)
    seconds = []
    for name in names:
        began, worked = time.perf_counter(), time.process_time()
        search(name)
        seconds.append((time.perf_counter() - began, time.process_time() - worked))
    (p50, cpu), (p99, _) = np.percentile(seconds, [50, 99], axis=0) * 1000
    return {"p50_ms": float(p50), "p99_ms": float(p99), "p50_cpu_ms": float(cpu)}


def recall(held: Any, queries: Array, vectors: Array, numbers: NDArray[np.int64], where: str | None) -> float:
    """Recall@10 of what is in memory, among the rows with these numbers, or among all."""
    rows = held.kinds["window"]
    found = 0
    for query in queries:
        told = rows.rows(held.nearest(query, LIMIT, "window", where, None))[:NEAREST]
        scores = (vectors @ query)[numbers]
        right = set(numbers[np.argpartition(-scores, NEAREST)[:NEAREST]].tolist())
        found += len(right & {int(each["video"]) + each["frame"] for each in told})
    return found / (NEAREST * len(queries))


def served(vectors: Array, queries: Array, fill: Callable[..., Any], keep: Keep, *, index: str, slow: int) -> None:
    """Every way to search one table in a server; each is kept when it is done.

    Args:
        vectors: of the windows.
        queries: which are not in the table.
        fill: makes the table in a folder.
        keep: is called with a way and its figures.
        index: of the store, which is made after the rest; 'none' for none.
        slow: queries of the slow ways.
    """
    model = made_model()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = fill(folder, vectors, settings_of(model))
        every = torch.from_numpy(vectors)
        plain = timed(lambda at: (every @ torch.from_numpy(queries[int(at)])).topk(NEAREST), _numbers(slow))
        keep("torch, all in memory", plain | {"recall@10": 1.0})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with asked(model, folder, None) as (made, search):
            names = _injected(made, queries)
            held = made.state.archive.held(made.state.archive.snapshot())
            assert held is not None, made.state.archive.keeper.note
            about = {"bytes": held.bytes, "build_seconds": held.seconds, "compared": held.compared}
            about |= {"grown_bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)}
            about |= {"recall@10, as serve tells it": held.recall or 1.0}
            everyone = np.arange(len(vectors))
            found = recall(held, queries, vectors, everyone, None)
            keep("memory", timed(search, names) | about | {"recall@10": found})
            bare = timed(lambda at: made.state.archive.search(queries[int(at)], k=24), _numbers(len(queries)))
            keep("memory, without HTTP", bare | {"recall@10": found})
            some = everyone[[str(at // WINDOWS * WINDOWS).endswith(ENDING) for at in range(len(vectors))]]
            where = f"kind = 'window' AND {CONDITION}"
            found = recall(held, queries[:slow], vectors, some, where)
            keep("memory, a twentieth", timed(lambda n: search(n, where=CONDITION), names) | {"recall@10": found})
        with asked(model, folder, 0) as (made, search):
            keep("store, exact", timed(search, _injected(made, queries)[:slow]) | {"recall@10": 1.0})
        if index != "none":
            began = time.perf_counter()
            told = update_index(table, index)  # type: ignore[arg-type]
            seconds = time.perf_counter() - began
            with asked(model, folder, 0) as (made, search):
                figures = timed(search, _injected(made, queries)) | {"build_seconds": seconds}
                keep(f"store, {index}", figures | {"recall@10": told.recall if told else 1.0})


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def _injected(made: Any, queries: Array) -> list[str]:
    """The names of queries that need no encoding."""
    names = []
    for number, vector in enumerate(queries):
        query = EncodedQuery(f"~{number:016}", vector, "drawn")
        made.state.queries.keep(query, made.state.archive.snapshot().centre)
        names.append(query.name)
    return names
