"""``kinema search``: arguments in, one call of :mod:`kinema.api.searching`, text or JSON out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinema.cli.terminal import add_device, add_where, make_parser, pairs, parse, print_json, under
from kinema.core.errors import UsageError

_TABLE = "where the table is: a folder, or s3://…, gs://…, az://…; RUN/index by default"


def run(given: list[str]) -> int:
    """The verb ``kinema search RUN QUERY``."""
    parser = make_parser("search")
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument(
        "query", type=str, help="a video, VIDEO@START-END, a picture, a sound (sound), words or a tracklet"
    )
    parser.add_argument("-k", "--k", type=int, default=10, help="hits to show")
    add_where(parser, "show rows")
    parser.add_argument(
        "--over",
        type=str | None,
        default=None,
        help="windows (usual) or videos; passages or documents; images or texts",
    )
    parser.add_argument(
        "--others", action="store_true", help="leave the query's own video, document, tracklet or pair out"
    )
    parser.add_argument("--exact", action="store_true", help="compare every row of a large table too")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write a page of the hits here (.html)")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    parser.add_argument("--videos", type=str | None, default=None, help="the folder of the videos, where it has moved")
    parser.add_argument(
        "--view", type=str | None, default=None, help="which view's encoder; the table's own by default"
    )
    add_device(parser)
    under(parser, "What is looked for", "run", "query", "k", "where", "over", "others", "exact", "view")
    under(parser, "The table, and files", "table", "videos", "out")
    args = parse(parser, given)
    if args.out is not None and Path(args.out).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o is '{args.out}'; a page's name ends in .html.", "For JSON: --json > FILE")
    found = _found(args)
    if args.out is not None:
        from kinema.searching.html import write_html

        write_html(found, Path(args.out))
    for note in found.notes:
        print(note, file=sys.stderr)
    if not found.exact:
        print(f"{found.rows} rows were searched by the index; --exact compares every one.", file=sys.stderr)
    if args.json:
        print_json(found.plain())
    else:
        _print_hits(found.hits)
        if args.out is not None:
            print(f"The page: {args.out}")
    return 0


def _found(args: Any) -> Any:
    """The result: of a small table of videos by its copy, which needs no LanceDB, and no torch for its own videos."""
    run, uri = Path(args.run), str(Path(args.run) / "index") if args.table is None else args.table
    simple = not args.where and args.view is None and args.videos is None and args.out is None
    if simple and (run / "recipe.json").is_file():
        from kinema.searching.stored import COPY, find_stored

        options = {"k": args.k, "over": args.over, "others": args.others}
        quick = find_stored(run, uri, args.query, **options)
        if quick is None and (Path(uri) / COPY).is_file():
            from kinema.api.quick import find_quickly

            quick = find_quickly(run, uri, args.query, **options, device=args.device)
        if quick is not None:
            return quick
    from kinema.api import searching as api_search

    names = ("k", "over", "others", "table", "view", "device", "videos")
    settings = {name: getattr(args, name) for name in names}
    where = pairs(args.where, "--where")
    found = api_search.search(args.run, args.query, where=where, **settings, exact=True if args.exact else None)
    if simple:
        from kinema.searching.stored import write_copy

        write_copy(uri)
    return found


def _print_hits(hits: Sequence[Any]) -> None:
    """A line a hit: stretches by seconds, passages by characters, tracklets by camera, pairs by their picture."""
    if hits and hasattr(hits[0], "tracklet"):
        seen = [(f"{hit.score:.3f}", hit.camera or "", hit.when, hit.tracklet, hit.identity or "") for hit in hits]
        _print_table("score", "camera", "when", "tracklet", "person", rows=seen)
        return
    if hits and hasattr(hits[0], "distance"):
        known = [
            (f"{hit.score:.3f}", *_pair(hit), _shortened(hit.text or "", 60), ";".join(hit.labels)) for hit in hits
        ]
        _print_table("score", "bits", "found", "text", "labels", rows=known)
        return
    if hits and hasattr(hits[0], "passage"):
        passages = [
            (f"{hit.score:.3f}", hit.document, f"{hit.start}", f"{hit.end}", _shortened(hit.passage)) for hit in hits
        ]
        _print_table("score", "document", "from", "to", "passage", rows=passages)
        return
    found = [(hit, (hit.video, hit.label or "") if first else ("", "")) for first, hit in _grouped(hits)]
    stretches = [(f"{hit.score:.3f}", f"{hit.start:.2f}", f"{hit.end:.2f}", *named) for hit, named in found]
    _print_table("score", "from, s", "to, s", "video", "label", rows=stretches)


def _grouped(hits: Sequence[Any]) -> list[tuple[bool, Any]]:
    """The hits video by video, the video with the nearest first; and whether one is its video's first."""
    videos: dict[str, list[Any]] = {}
    for hit in hits:
        videos.setdefault(hit.video, []).append(hit)
    return [(place == 0, hit) for own in videos.values() for place, hit in enumerate(own)]


def _pair(hit: Any) -> tuple[str, str]:
    """The bits that differ, where codes were compared; and the picture, or the frame, of a hit."""
    where = f"{hit.video}, {hit.when}" if hit.video else hit.image or hit.name
    return "" if hit.distance is None else str(hit.distance), where


def _shortened(passage: str, most: int = 200) -> str:
    """A passage on one line."""
    line = " ".join(passage.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _print_table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    from kinema.core.printing import Table, make_console

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
