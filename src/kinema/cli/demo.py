"""``kinema demo``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from typing import Any

from kinema.cli.terminal import make_parser, parse, print_json, show_report, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema demo``."""
    parser = make_parser("demo", "On two CPU cores it takes about a quarter of an hour.")
    parser.add_argument("dir", type=str, nargs="?", default="kinema-demo", help="where everything goes")
    parser.add_argument("--epochs", type=int | None, default=None, help="epochs of each encoder; fewer are faster")
    parser.add_argument("--clips_per_class", type=int | None, default=None, help="training videos a class")
    parser.add_argument("--seed", type=int, default=0, help="of the networks; the data set is the same for all")
    parser.add_argument("--data_only", action="store_true", help="write the data set that it is of, and end")
    args = parse(parser, given)
    if args.data_only:
        return _data(args)
    from kinema.api.demonstration import run_demo

    outcome = run_demo(
        args.dir,
        epochs=args.epochs,
        clips_per_class=args.clips_per_class,
        seed=args.seed,
        console=stderr_console(),
    )
    if args.json:
        from kinema.reporting import rows

        summary = {"report": str(outcome.page), "run": str(outcome.run), "seconds": outcome.seconds}
        print_json({"rows": rows(outcome.report), **summary})
    else:
        show_report(outcome.report, outcome.page)
    return 0


def _data(args: Any) -> int:
    """Writes the data set alone, where the demonstration takes it from: 'kinema dataset mocap' has all its settings."""
    from pathlib import Path

    from kinema.api.demonstration import demo_config, demo_data

    folder = Path(args.dir) / "mocap-15"
    config = demo_config() if args.clips_per_class is None else demo_config(args.clips_per_class)
    manifest = demo_data(folder, config, stderr_console())
    if args.json:
        print_json({"data": str(folder), "videos": len(manifest)})
    else:
        print(f"{len(manifest)} videos in {folder}")
    return 0
