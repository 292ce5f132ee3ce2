"""``kinema cluster``: arguments in, one call of :mod:`kinema.api.searching`, text or JSON out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kinema.cli.terminal import make_parser, numbered_names, parse, print_json

_TABLE = "where the table is: a folder, or s3://…, gs://…, az://…; RUN/index by default"


def run(given: list[str]) -> int:
    """The verb ``kinema cluster RUN``."""
    parser = make_parser("cluster")
    parser.add_argument("run", type=str, help="the run's folder")
    parser.add_argument("--name", type=str, nargs="+", default=None, help="NUMBER=NAME: names only; clusters stay")
    parser.add_argument("--method", type=str, default="kmeans", help="kmeans or hdbscan")
    parser.add_argument(
        "-k", "--k", type=int | None, default=None, help="clusters of kmeans; as many as there are, or 10"
    )
    parser.add_argument("--drop_names", action="store_true", help="sort even where names are lost that were given")
    parser.add_argument("--least", type=int, default=5, help="the smallest cluster of hdbscan")
    parser.add_argument(
        "--over", type=str | None, default=None, help="videos (usual) or windows; documents or passages"
    )
    parser.add_argument("--seed", type=int, default=0, help="of kmeans")
    parser.add_argument("--table", type=str | None, default=None, help=_TABLE)
    args = parse(parser, given)
    names = numbered_names(args.name)
    from kinema.api import searching as api_search

    settings = {name: getattr(args, name) for name in ("method", "k", "least", "over", "seed", "table", "drop_names")}
    found = api_search.cluster(args.run, names=names, **settings)
    if args.json:
        print_json(found.plain())
    else:
        rows = [
            (str(each.number), each.name or "", str(each.size), "\n".join(clip.whole for clip in each.representatives))
            for each in found.clusters
        ]
        _print_table("cluster", "name", "size", "for instance", rows=rows)
        if found.noise or found.unclustered:
            print(f"{found.noise} in no cluster, {found.unclustered} embedded since the last clustering")
    if found.dropped:
        message = f"No cluster is mostly what it was of these names, which are dropped: {', '.join(found.dropped)}"
        print(message, file=sys.stderr)
    return 0


def _print_table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    from kinema.core.printing import Table, make_console

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    make_console().print(table)
