"""``kinema features``: what an encoder sees of videos, so many times a second, as files."""

from __future__ import annotations

import sys

from kinema.cli.terminal import add_device, make_parser, parse, print_json, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema features RUN DATA``."""
    parser = make_parser("features")
    parser.add_argument("run", type=str, help="a run on clips, or one on pictures (dcvh)")
    parser.add_argument("data", type=str, help="a folder with videos/, any folder of videos, one video, or a manifest")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="where they go; beside videos/ by default")
    parser.add_argument("--rate", type=float, default=4.0, help="frames a second")
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--untrained", action="store_true", help="the run's encoder as it was before training")
    parser.add_argument("--batch_size", type=int, default=32, help="clips or pictures at a time")
    add_device(parser)
    args = parse(parser, given)
    from kinema.api.features import features

    names = ("out", "rate", "view", "untrained", "batch_size", "device")
    done = features(args.run, args.data, **{name: getattr(args, name) for name in names}, console=stderr_console())
    if args.json:
        print_json(done.plain())
    else:
        rate, dim = done.about["frames_a_second"], done.about["dim"]
        kept = f", {done.kept} were there" if done.kept else ""
        print(f"{done.made} made{kept}: {done.out}, {rate:g} a second of {dim} numbers ({done.seconds:.0f} s)")
    if done.failed:
        print(f"{len(done.failed)} videos have no features:", file=sys.stderr)
        for path, reason in done.failed.items():
            print(f"  {path}: {reason}", file=sys.stderr)
    return 0
