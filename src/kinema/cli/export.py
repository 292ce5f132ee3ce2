"""``kinema export``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json

FORMATS = (
    "safetensors is a folder that kinema.load reads; onnx and program are one file; a model of text is a folder "
    "that sentence-transformers loads."
)


def run(given: list[str]) -> int:
    """The verb ``kinema export``."""
    import time

    parser = make_parser("export", FORMATS)
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument(
        "--format", type=str, default="safetensors", help="safetensors, onnx or program; of text: sentence-transformers"
    )
    parser.add_argument("-o", "--out", type=str, required=True, help="what to write; must not exist")
    parser.add_argument(
        "--view",
        type=str | None,
        default=None,
        help="which view's encoder, or both: rgb+motion; the run's own by default",
    )
    parser.add_argument("--licence", type=str | None, default=None, help="the licence of the weights, in your words")
    args = parse(parser, given)
    from kinema import api

    began = time.monotonic()
    done = api.export(args.run, args.out, format=args.format, view=args.view, licence=args.licence)
    gap = done.difference
    summary = {"out": args.out, "format": done.format, "view": done.view, "bytes": done.size}
    summary |= {} if gap is None else {"difference": {"absolute": gap.absolute, "relative": gap.relative}}
    if args.json:
        print_json({"run": args.run, **summary, "seconds": time.monotonic() - began})
    else:
        exact = f"; its outputs differ by {gap.absolute:.1g} at most" if gap is not None else ""
        print(f"{args.out}: {done.view} as {done.format}, {done.size / 1e6:.1f} MB{exact}")
    return 0
