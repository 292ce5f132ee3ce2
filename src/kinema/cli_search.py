"""The verbs of search: embed, search, cluster and dedupe. Each parses, calls :mod:`kinema.api_search` and prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinema.core.errors import UsageError
from kinema.terminal import parse, print_json, stderr_console

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

_TABLE = "where the table is: a folder, or s3://…, gs://…, az://…; RUN/index by default"


def embed(parser: ArgumentParser, given: list[str]) -> int:
    """The verb ``kinema embed RUN VIDEOS``."""
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument("videos", type=str, help="a folder of videos, a manifest, or NAME:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help=_TABLE)
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--space", type=str | None, default=None, help="embedding (usual), or projection: across views")
    parser.add_argument("--length", type=str | None, default=None, help="of a window: 2s or 16f; a clip by default")
    parser.add_argument("--stride", type=str | None, default=None, help="from window to window; half by default")
    parser.add_argument("--replace", action="store_true", help="make a table anew that another encoder made")
    parser.add_argument("--index", type=str, default="auto", help="of large tables: auto, ivf-pq, hnsw or none")
    parser.add_argument("--engine", type=str, default="local", help="local, or ray: workers of a Ray cluster")
    parser.add_argument("--workers", type=int, default=2, help="what scans and decodes; on ray, encodes too")
    parser.add_argument("--threads", type=int | None, default=None, help="of an encoder; all processors by default")
    parser.add_argument("--batch_size", type=int, default=32, help="clips at a time")
    parser.add_argument("--device", type=str | None, default=None, help="cpu or cuda")
    asked = parse(parser, given)
    from kinema import api_search

    names = ["out", "view", "space", "length", "stride", "replace", "index", "engine", "workers", "threads"]
    names += ["batch_size", "device"]
    settings = {name: getattr(asked, name) for name in names}
    done = api_search.embed(asked.run, asked.videos, **settings, console=stderr_console())
    if asked.json:
        print_json(done.plain())
    else:
        print(f"{done.table}: {done.videos} videos, {done.windows} windows ({done.seconds:.0f} s)")
        told = {"new": done.added, "changed": done.changed, "described anew": done.updated}
        told |= {"taken out": done.deleted, "as they were": done.unchanged}
        print(", ".join(f"{count} {what}" for what, count in told.items()))
        if done.index is not None:
            print(f"index {done.index.kind}: recall@10 {done.index.recall:.3f} of {done.index.queries} queries")
    if done.held:
        print(f"{done.held} videos are shorter than a clip; their last frame is held.", file=sys.stderr)
    if done.failed:
        print(f"{len(done.failed)} videos could not be embedded:", file=sys.stderr)
        for path, reason in done.failed.items():
            print(f"  {path}: {reason}", file=sys.stderr)
    return 0


def search(parser: ArgumentParser, given: list[str]) -> int:
    """The verb ``kinema search RUN QUERY``."""
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument("query", type=str, help="a video, VIDEO@START-END, a picture (rgb) or a sound (sound)")
    parser.add_argument("-k", "--k", type=int, default=10, help="hits")
    parser.add_argument("--where", type=str | None, default=None, help="SQL on the columns: \"label = 'walk'\"")
    parser.add_argument("--over", type=str, default="windows", help="what is compared: windows or videos")
    parser.add_argument("--others", action="store_true", help="leave the query's own video out")
    parser.add_argument("--exact", action="store_true", help="compare every row of a large table too")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write a page with pictures here (.html)")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--device", type=str | None, default=None, help="cpu or cuda")
    asked = parse(parser, given)
    if asked.out is not None and Path(asked.out).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o is '{asked.out}'; a page's name ends in .html.", "For JSON: --json > FILE")
    from kinema import api_search

    settings = {name: getattr(asked, name) for name in ("k", "where", "over", "others", "table", "view", "device")}
    found = api_search.search(asked.run, asked.query, **settings, exact=True if asked.exact else None)
    if asked.out is not None:
        from kinema.searching.sheet import write_sheet

        write_sheet(found, Path(asked.out))
    for note in found.notes:
        print(note, file=sys.stderr)
    if not found.exact:
        print(f"{found.rows} rows were searched by the index; --exact compares every one.", file=sys.stderr)
    if asked.json:
        print_json(found.plain())
    else:
        _print_table("score", "from, s", "to, s", "video", "label", rows=[_told(hit) for hit in found.hits])
        if asked.out is not None:
            print(f"The page: {asked.out}")
    return 0


def cluster(parser: ArgumentParser, given: list[str]) -> int:
    """The verb ``kinema cluster RUN``."""
    parser.add_argument("run", type=str, help="the run's folder")
    parser.add_argument("--name", type=str, nargs="+", default=None, help="NUMBER=NAME: names only; clusters stay")
    parser.add_argument("--method", type=str, default="kmeans", help="kmeans or hdbscan")
    parser.add_argument("-k", "--k", type=int, default=10, help="clusters of kmeans")
    parser.add_argument("--least", type=int, default=5, help="the smallest cluster of hdbscan")
    parser.add_argument("--over", type=str, default="videos", help="what is sorted: videos or windows")
    parser.add_argument("--seed", type=int, default=0, help="of kmeans")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    asked = parse(parser, given)
    names = _names(asked.name)
    from kinema import api_search

    settings = {name: getattr(asked, name) for name in ("method", "k", "least", "over", "seed", "table")}
    found = api_search.cluster(asked.run, names=names, **settings)
    if asked.json:
        print_json(found.plain())
    else:
        rows = [
            (str(each.number), each.name or "", str(each.size), "\n".join(clip.video for clip in each.representatives))
            for each in found.clusters
        ]
        _print_table("cluster", "name", "size", "for instance", rows=rows)
        if found.noise or found.unclustered:
            print(f"{found.noise} in no cluster, {found.unclustered} embedded since the last clustering")
    if found.dropped:
        told = f"No cluster is mostly what it was of these names, which are dropped: {', '.join(found.dropped)}"
        print(told, file=sys.stderr)
    return 0


def dedupe(parser: ArgumentParser, given: list[str]) -> int:
    """The verb ``kinema dedupe RUN``."""
    import time

    parser.add_argument("run", type=str, help="the run's folder")
    parser.add_argument("--score", type=float, default=0.95, help="the cosine from which two windows are compared")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the pairs here (.csv)")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    asked = parse(parser, given)
    from kinema import api_search

    began = time.monotonic()
    console = stderr_console()
    found = api_search.dedupe(asked.run, score=asked.score, table=asked.table, workers=asked.workers, console=console)
    if asked.out is not None and found.copies is not None:
        found.copies.write(Path(asked.out))
    if asked.json:
        print_json(found.plain(time.monotonic() - began))
        return 0
    rows = [(f"{p.score:.3f}", p.a, f"{p.start_a:.2f}", p.b, f"{p.start_b:.2f}") for p in found.alike[:20]]
    _print_table("cosine", "video", "from, s", "and", "from, s", rows=rows)
    print(f"{len(found.alike)} pairs of videos are nearly the same to the encoder.")
    if found.copies is not None:
        from rich.console import Console

        Console().print(found.copies.table())
    return 0


def _names(given: list[str] | None) -> dict[int, str] | None:
    """NUMBER=NAME arguments; None where there are none."""
    if not given:
        return None
    wrong = [item for item in given if not item.partition("=")[0].isdecimal() or "=" not in item]
    if wrong:
        raise UsageError(f"--name {wrong[0]}: expected NUMBER=NAME, for instance --name 3=cartwheel.")
    return {int(number): name.strip() for number, _, name in (item.partition("=") for item in given)}


def _told(hit: Any) -> tuple[str, ...]:
    return (f"{hit.score:.3f}", f"{hit.start:.2f}", f"{hit.end:.2f}", hit.video, hit.label or "")


def _print_table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(each) for each in row))
    Console().print(table)
