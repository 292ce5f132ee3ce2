"""``kinema dataset``: writes a data set that ships, or that is on every machine."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console
from kinema.core.errors import UsageError


def run(given: list[str]) -> int:
    """The verb ``kinema dataset``."""
    if given[:1] == ["pydoc"]:
        return _pydoc(given[1:])
    if given[:1] not in (["mocap"], ["--help"], ["-h"]):
        named = f"'{given[0]}'" if given else "no data set"
        raise UsageError(
            f"You named {named}; the data sets are 'mocap', which ships, and 'pydoc', which is on every machine.",
            "kinema dataset mocap DIR, or kinema dataset pydoc DIR",
        )
    from kinema.data.mocap import MocapConfig, write_mocap

    parser = make_parser("dataset mocap", "Real recorded human motion.")
    parser.add_argument("dir", type=str, help="the folder to write; an interrupted one is completed")
    parser.add_argument("--workers", type=int | None, default=None, help="processes")
    parser.add_class_arguments(MocapConfig, skip={"parts", "sound"})
    parser.add_argument("--sound", action="store_true", help="videos that can be heard: strikes, landings, swings")
    parts = list(MocapConfig().parts)
    parser.add_argument("--parts", type=str, nargs="+", default=parts, help=f"of the test set: {', '.join(parts)}")
    args = parse(parser, given[1:] if given[0] == "mocap" else given)
    from pathlib import Path

    from kinema import api

    values = {name: getattr(args, name) for name in MocapConfig.__dataclass_fields__}
    config = MocapConfig(**{**values, "parts": tuple(args.parts)})
    with api.Steps("drawing", stderr_console()) as progress:
        summary = write_mocap(Path(args.dir), config, workers=args.workers, progress=progress)
    if args.json:
        print_json(
            {"data": str(summary.out), "videos": summary.videos, "digest": summary.digest, "seconds": summary.seconds}
        )
    else:
        print(f"{summary.videos} videos in {summary.out} ({summary.seconds:.0f} s)")
    return 0


def _pydoc(given: list[str]) -> int:
    """``kinema dataset pydoc DIR``: the installed Python's own documentation as documents."""
    parser = make_parser("dataset pydoc", "The installed Python's own documentation, a text file a module.")
    parser.add_argument("dir", type=str, help="the folder to write; must not exist")
    args = parse(parser, given)
    from pathlib import Path

    from kinema.data.documents.pydoc import write_pydoc

    summary = write_pydoc(Path(args.dir))
    counts = {"documents": summary.documents, "words": summary.words, "python": summary.python}
    if args.json:
        print_json({"data": args.dir, **counts, "digest": summary.digest, "seconds": summary.seconds})
    else:
        print(f"{summary.documents} documents, {summary.words} words in {args.dir} ({summary.seconds:.0f} s)")
    return 0
