"""``kinema segment``: footage to steps with their times."""

from __future__ import annotations

from typing import Any

from kinema.cli.terminal import add_device, make_parser, numbered_names, parse, print_json, stderr_console, under

_ELSEWHERE = ("run", "videos", "name", "json")
"""Arguments that are no settings of :func:`kinema.segment` by their names."""


def run(given: list[str]) -> int:
    """The verb ``kinema segment RUN VIDEOS``."""
    from kinema.api.segmenting import ORDERS

    parser = make_parser("segment")
    parser.add_argument("run", type=str, help="a run on clips, pretrained on footage like this")
    parser.add_argument("videos", type=str | None, nargs="?", default=None, help="a folder, a manifest, or one video")
    parser.add_argument("--steps", type=int | None, default=None, help="how many steps the activity has")
    orders = "; ".join(f"{name}: {meaning}" for name, meaning in ORDERS.items())
    parser.add_argument("--order", type=str, default="fixed", help=orders)
    parser.add_argument("-o", "--out", type=str | None, default=None, help="segments as .csv, .json, .vtt or .eaf")
    parser.add_argument("--name", type=str, nargs="+", default=None, help='NUMBER=NAME of steps: 3="tighten the screw"')
    parser.add_argument("--rate", type=float, default=4.0, help="features a second")
    parser.add_argument("--background", type=float, default=0.0, help="share of the time that belongs to no step")
    parser.add_argument("--labels", type=str | None, default=None, help="a folder of NAME.txt, a label a frame a line")
    parser.add_argument("--leave_out", type=str, nargs="+", default=(), help="labels that are no step, with --labels")
    parser.add_argument("--work", type=str | None, default=None, help="where features and models go; RUN/segments")
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--untrained", action="store_true", help="the run's encoder as it was before training")
    parser.add_argument("--epochs", type=int | None, default=None, help="of the steps' model")
    parser.add_argument("--seed", type=int, default=0, help="of the steps' model")
    parser.add_argument("--batch_size", type=int, default=32, help="clips at a time")
    add_device(parser)
    under(parser, "What is divided", "run", "videos", "steps", "order", "background", "rate", "view", "untrained")
    under(parser, "The model of the steps", "epochs", "seed", "work")
    under(parser, "Names, labels and files", "out", "name", "labels", "leave_out")
    args = parse(parser, given)
    from kinema.api.segmenting import segment

    chosen = {name: value for name, value in vars(args).items() if name not in _ELSEWHERE}
    done = segment(args.run, args.videos, names=numbered_names(args.name), console=stderr_console(), **chosen)
    if args.json:
        print_json(done.plain())
    else:
        _show(done)
    return 0


def _show(done: Any) -> None:
    from kinema.core.printing import Table, make_console, show

    console = make_console()
    table = Table("step", "name", "seconds", "for instance")
    for step in done.segmentation.steps:
        clips = "\n".join(f"{clip.video}@{clip.start:.2f}-{clip.end:.2f}" for clip in step.typical)
        table.add_row(str(step.number), step.name, f"{step.seconds:.1f}", clips)
    console.print(table)
    for result in done.results[:1]:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in result.metrics.items())
        print(f"against labels: {figures}")
    for file in done.files:
        show(console, f"Written: {file}")
    show(console, f"Kept in: {done.path}")
