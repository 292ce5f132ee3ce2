"""``kinema dataset``: writes a data set that ships, or that is on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import add_class, make_parser, parse, print_json, stderr_console, under
from kinema.core.errors import UsageError
from kinema.core.guesses import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsonargparse import Namespace

SETS = {
    "mocap": "fifteen recorded motions, a video each, with classes and a test set; it ships",
    "mocap-steps": "the same motions one after another, with a label for every frame; it ships",
    "mocap-people": "many people in several cameras, as tracklets of crops, told apart by clothes or gait; it ships",
    "mocap-words": "pictures of the same motions with sentences and labels, to ask pictures in words; it ships",
    "mocap-qa": "videos of several motions with subtitles, and questions whose answers are known; it ships",
    "pydoc": "the installed Python's own documentation as documents; it is on every machine",
}


def run(given: list[str]) -> int:
    """The verb ``kinema dataset``."""
    if given[:1] in (["--help"], ["-h"]):
        listed = "\n".join(f"  {name:13} {summary}" for name, summary in SETS.items())
        print(f"usage: kinema dataset NAME DIR ...\n\ndata sets:\n{listed}")
        print("\n'kinema dataset NAME --help' lists every setting of a data set.")
        return 0
    makers = {"mocap": _mocap, "mocap-steps": _mocap_steps, "mocap-people": _mocap_people, "mocap-words": _mocap_words}
    makers |= {"mocap-qa": _mocap_qa, "pydoc": _pydoc}
    if not given or given[0] not in makers:
        named = f"'{given[0]}'" if given else "no data set"
        raise UsageError(
            f"You named {named}; the data sets are {', '.join(makers)}.",
            (did_you_mean(given[0], makers) if given else "")
            + "kinema dataset mocap DIR; kinema dataset --help says what each is.",
        )
    return makers[given[0]](given[1:])


def _mocap(given: list[str]) -> int:
    """``kinema dataset mocap DIR``."""
    from kinema.data.mocap import MocapConfig, write_mocap

    parser = make_parser("dataset mocap", "Real recorded human motion.")
    _add_place(parser)
    add_class(parser, MocapConfig, "What is drawn", ("parts", "sound"))
    parser.add_argument("--sound", action="store_true", help="videos that can be heard: strikes, landings, swings")
    parts = list(MocapConfig().parts)
    parser.add_argument("--parts", type=str, nargs="+", default=parts, help=f"of the test set: {', '.join(parts)}")
    args = parse(parser, given)
    return _draw(args, MocapConfig, write_mocap, parts=tuple(args.parts))


def _mocap_steps(given: list[str]) -> int:
    """``kinema dataset mocap-steps DIR``."""
    from kinema.data.mocap.steps import MocapStepsConfig, write_mocap_steps

    parser = make_parser("dataset mocap-steps", "Real recorded human motions, one after another, labelled by frame.")
    _add_place(parser)
    add_class(parser, MocapStepsConfig, "What is drawn")
    return _draw(parse(parser, given), MocapStepsConfig, write_mocap_steps)


def _mocap_people(given: list[str]) -> int:
    """``kinema dataset mocap-people DIR``."""
    from kinema.data.mocap.people import MOTIONS, MocapPeopleConfig, write_mocap_people

    parser = make_parser("dataset mocap-people", "People in several cameras, as tracklets of crops.")
    _add_place(parser)
    add_class(parser, MocapPeopleConfig, "What is drawn", ("motions",))
    usual = list(MocapPeopleConfig().motions)
    parser.add_argument("--motions", type=str, nargs="+", default=usual, help=f"of {', '.join(MOTIONS)}")
    args = parse(parser, given)
    counted = ("people", "tracklets", "crops")
    return _draw(args, MocapPeopleConfig, write_mocap_people, counted, motions=tuple(args.motions))


def _mocap_words(given: list[str]) -> int:
    """``kinema dataset mocap-words DIR``."""
    from kinema.data.mocap.words import MocapWordsConfig, write_mocap_words
    from kinema.data.mocap.words.config import LABELS

    parser = make_parser("dataset mocap-words", "Pictures of people, each with a sentence about it and labels.")
    _add_place(parser)
    add_class(parser, MocapWordsConfig, "What is drawn", ("labels",))
    usual = list(MocapWordsConfig().labels)
    parser.add_argument("--labels", type=str, nargs="+", default=usual, help=f"of {', '.join(LABELS)}")
    args = parse(parser, given)
    return _draw(args, MocapWordsConfig, write_mocap_words, ("pairs", "train", "test"), labels=tuple(args.labels))


def _mocap_qa(given: list[str]) -> int:
    """``kinema dataset mocap-qa DIR``."""
    from kinema.data.mocap.qa import MocapQAConfig, write_mocap_qa

    parser = make_parser("dataset mocap-qa", "Videos of several motions in a row, subtitles, and questions about them.")
    _add_place(parser)
    add_class(parser, MocapQAConfig, "What is drawn")
    counted = ("videos", "questions", "train", "val", "test")
    return _draw(parse(parser, given), MocapQAConfig, write_mocap_qa, counted)


def _add_place(parser: Any) -> None:
    parser.add_argument("dir", type=str, help="the folder to write; an interrupted one is completed")
    parser.add_argument("--workers", type=int | None, default=None, help="processes; as many as processors by default")
    under(parser, "What is drawn", "dir", "sound", "parts", "motions", "labels")


def _draw(args: Namespace, kind: Any, write: Any, counted: Sequence[str] = ("videos",), **changes: Any) -> int:
    """Writes a data set that is drawn.

    Args:
        args: what was given; a value for every field of ``kind``, and ``dir``, ``workers`` and ``json``.
        kind: the dataclass of the settings.
        write: is called with the folder and the settings.
        counted: which fields of what it returns say how much there is.
        changes: fields that are not as they were given.
    """
    from pathlib import Path

    from kinema import api

    config = kind(**{name: getattr(args, name) for name in kind.__dataclass_fields__} | changes)
    with api.Steps("drawing", stderr_console()) as progress:
        summary = write(Path(args.dir), config, workers=args.workers, progress=progress)
    counts = {name: getattr(summary, name) for name in counted}
    if args.json:
        print_json({"data": str(summary.out), **counts, "digest": summary.digest, "seconds": summary.seconds})
    else:
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        print(f"{told} in {summary.out} ({summary.seconds:.0f} s)")
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
