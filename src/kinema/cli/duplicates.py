"""``kinema duplicates``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema duplicates``."""
    import time

    parser = make_parser("duplicates", "No labels and no run are needed; a split is read where there is one.")
    parser.add_argument("data", type=str, help="a folder of videos, a manifest, or NAME:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the pairs here (.csv)")
    parser.add_argument("--workers", type=int, default=2, help="processes that read files")
    args = parse(parser, given)
    from kinema import api

    began = time.monotonic()
    found = api.duplicates(args.data, out=args.out, workers=args.workers, console=stderr_console())
    if args.json:
        print_json(found.plain(time.monotonic() - began))
    else:
        from kinema.core.printing import make_console

        make_console().print(found.table())
    return 0
