"""``kinema ask``: arguments in, one call of :mod:`kinema.api.asking`, a table or JSON out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kinema.cli.terminal import add_device, make_parser, parse, print_json, stderr_console

if TYPE_CHECKING:
    from kinema.api.asking import Asked

_NAMED_BY = {
    "frames": "--features_run RUN names the run that makes features of frames, where it has moved",
    "subtitles": "--subtitles FILE names subtitles that lie elsewhere",
}
"""How a user names what is missing."""


def run(given: list[str]) -> int:
    """The verb ``kinema ask RUN VIDEO QUESTION --options A B C``."""
    parser = make_parser("ask")
    parser.add_argument("run", type=str, help="the run's folder, of the method video-qa")
    parser.add_argument("video", type=str, help="the video that is asked about")
    parser.add_argument("question", type=str, help="the question, in quotation marks")
    parser.add_argument("--options", type=str, nargs="+", default=[], help="what may be the answer, two or more")
    parser.add_argument(
        "--subtitles", type=str | None, default=None, help=".srt, .vtt or .json; by default what lies beside the video"
    )
    parser.add_argument(
        "--features_run",
        type=str | None,
        default=None,
        help="the run that makes features of frames; by default that of the training data",
    )
    add_device(parser)
    args = parse(parser, given)
    from kinema.api.asking import ask

    asked = ask(
        args.run,
        args.video,
        args.question,
        args.options,
        subtitles=args.subtitles,
        features_run=args.features_run,
        device=args.device,
        console=stderr_console(),
    )
    for what in asked.missing:
        if what in _NAMED_BY:
            print(f"{_NAMED_BY[what]}.", file=sys.stderr)
    if args.json:
        print_json(asked.plain())
    else:
        _print(asked)
    return 0


def _print(asked: Asked) -> None:
    """A line an option, the largest share first, and the stretch that was looked at."""
    from kinema.core.printing import Table, make_console, show

    table = Table("share", "option")
    for share, option in sorted(zip(asked.shares, asked.options, strict=True), key=lambda each: -each[0]):
        table.add_row(f"{share:.3f}", option)
    console = make_console()
    console.print(table)
    if asked.start is None or asked.end is None:
        show(console, "It looked at the question and the options alone.")
        return
    show(console, f"It looked at {asked.start:.1f} – {asked.end:.1f} s most.")
    for line in asked.said:
        show(console, f"  {line.start:.1f} s: {line.text}")
