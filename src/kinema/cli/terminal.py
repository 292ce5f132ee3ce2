"""What all verbs of the command line share: a parser whose complaints are ours, and where output goes."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast, get_args, get_type_hints

from kinema.cli import help as help_of
from kinema.cli.catalogue import RUNNING, described
from kinema.cli.verbs import VERBS
from kinema.core.conditions import chosen
from kinema.core.devices import named_device
from kinema.core.errors import UsageError
from kinema.core.guesses import did_you_mean

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

_RUNNING = ("device", "workers", "threads", "engine", "cache", "batch_size", "print_config", "json", "help")


def make_parser(verb: str, more: str = "") -> ArgumentParser:
    """A parser of a verb's arguments, with --json.

    Args:
        verb: the verb, and what it is of: 'pretrain cpr'.
        more: what --help says beside the line of the verb, or in its place where the verb is of something.
    """
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        titles: dict[str, str]

        def error(self, message: str, ex: Exception | None = None) -> NoReturn:  # noqa: ARG002 - the base's signature
            raise _complaint(self, str(message))

    about = more if " " in verb else f"{VERBS[verb]}. {more}".strip()
    parser = Parser(prog=f"kinema {verb}", description=about, exit_on_error=False)
    parser.titles = dict.fromkeys(_RUNNING, RUNNING)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _complaint(parser: ArgumentParser, said: str) -> UsageError:
    """What the parser complains of, and the option that was meant where one is not known."""
    known = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    unknown = re.search(r"unrecognized arguments: (--[\w.]+)", said)
    meant = did_you_mean(unknown[1], known) if unknown else ""
    return UsageError(" ".join(said.split()), f"{meant}See: {parser.prog} --help")


def under(parser: ArgumentParser, title: str, *names: str) -> None:
    """Puts options, and what is nested in them, into a group of the help.

    Args:
        parser: has the options, or will have them.
        title: the group, in words for a person.
        names: of what they set: 'method', 'transform.sound'.
    """
    parser.titles |= dict.fromkeys(names, title)  # type: ignore[attr-defined]


def hide(parser: ArgumentParser, *names: str) -> None:
    """Leaves options, and what is nested in them, out of the help: those of a part that is not used here.

    Args:
        parser: has the options, which go on being understood.
        names: of what they set.
    """
    from argparse import SUPPRESS

    for action in parser._actions:
        if any(action.dest == name or action.dest.startswith(f"{name}.") for name in names):
            action.help = SUPPRESS


def add_where(parser: ArgumentParser, rows: str) -> None:
    """Adds --where, which has one grammar in every verb (:mod:`kinema.core.conditions`).

    Args:
        parser: takes it.
        rows: what is chosen, for the help: 'train on videos'.
    """
    words = f"{rows} of which this is true: KEY=VALUE, or a condition such as \"label = 'walk' AND duration > 2\""
    parser.add_argument("--where", type=str, nargs="+", default=None, help=words)


def add_device(parser: ArgumentParser) -> None:
    """Adds --device, which has one meaning in every verb."""
    words = "where to compute: auto (a GPU of CUDA where there is one), cpu, cuda, cuda:1 (the second) or mps"
    parser.add_argument("--device", type=str, default="auto", help=words)


def add_class(parser: ArgumentParser, kind: type, title: str, skip: Sequence[str] = ()) -> None:
    """Makes the fields of a class of settings options, described by its docstring.

    Args:
        parser: takes the options.
        kind: the class, a dataclass.
        title: of their group in the help.
        skip: fields that are no options.
    """
    parser.add_class_arguments(kind, skip=set(skip))
    said = helps(kind)
    for action in parser._actions:
        action.help = action.help or said.get(action.dest)
    under(parser, title, *(field.name for field in dataclasses.fields(kind) if field.name not in skip))


class Collected(Exception):  # noqa: N818 - no error: the way out of a verb
    """Holds the parser of a verb that is only to be described.

    Args:
        parser: the parser.
    """

    def __init__(self, parser: ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


_collecting = False


@contextmanager
def collecting() -> Iterator[None]:
    """While it lasts, a verb goes no further than its parser, which it raises as :class:`Collected`."""
    global _collecting
    _collecting = True
    try:
        yield
    finally:
        _collecting = False


def parse(parser: ArgumentParser, given: list[str]) -> Namespace:
    """The arguments.

    Raises:
        UsageError: they cannot be understood.
    """
    from jsonargparse import ArgumentError

    if _collecting:
        raise Collected(parser)
    if help_of.asked(given):
        words = parser.prog.removeprefix("kinema ")
        print(help_of.text(words, described(parser), help_of.asked(given) == "all"), end="")
        raise SystemExit(0)
    _check_settings_files(parser, given)
    try:
        args = parser.parse_args(given)
    except ArgumentError as error:
        raise _complaint(parser, str(error)) from error
    if "device" in args:
        args.device = named_device(args.device)
    return args


def helps(kind: type) -> dict[str, str]:
    """What the docstring of a class of settings says of each, by name, as the help of an option.

    Args:
        kind: the class; its docstring has a section ``Args:``.
    """
    _, _, listed = (inspect.getdoc(kind) or "").partition("\nArgs:\n")
    listed = re.split(r"\n\n(?=\S)", listed)[0]  # another section follows
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE)
    return {name: _as_help(text) for name, text in found}


def describe_parts(parser: ArgumentParser, name: str, kind: Any) -> None:
    """Gives options of nested settings, and the groups that they stand in, the words of their classes' docstrings.

    Args:
        parser: has the options, named ``name.setting``.
        name: of the option whose value is a class of settings.
        kind: that class, or whatever else the option takes: then nothing is done.
    """
    groups = parser.groups or {}
    if not dataclasses.is_dataclass(kind) or name not in groups:
        return
    hints, said = get_type_hints(kind), helps(cast(type, kind))
    options = {action.dest: action for action in parser._actions}
    for field in dataclasses.fields(kind):
        inner = f"{name}.{field.name}"
        if inner in groups:
            groups[inner].title = said.get(field.name, groups[inner].title)
            for each in (hints[field.name], *get_args(hints[field.name])):
                describe_parts(parser, inner, each)
        elif inner in options:
            options[inner].help = options[inner].help or said.get(field.name)


def _as_help(text: str) -> str:
    """A text of a docstring without its marks, in one line, as argparse takes it."""
    bare = re.sub(r":\w+:`~?([^`]+)`", lambda role: role[1].rpartition(".")[2], text).replace("``", "")
    return " ".join(bare.split()).rstrip(".").replace("%", "%%")


def pairs(given: list[str] | None, option: str) -> dict[str, str] | None:
    """What chooses rows: KEY=VALUE, and conditions, as a mapping; None where there are none.

    Args:
        given: the arguments.
        option: whose they are, for the message.

    Raises:
        UsageError: one of them is neither.
    """
    return chosen(given, option) if given else None


def numbered_names(given: list[str] | None) -> dict[int, str] | None:
    """NUMBER=NAME arguments of --name as a mapping; None where there are none.

    Raises:
        UsageError: one of them has no number, or no '='.
    """
    if not given:
        return None
    wrong = [item for item in given if not item.partition("=")[0].isdecimal() or "=" not in item]
    if wrong:
        raise UsageError(f"--name {wrong[0]}: expected NUMBER=NAME, for instance --name 3=cartwheel.")
    return {int(number): name.strip() for number, _, name in (item.partition("=") for item in given)}


def stderr_console() -> Any:
    """Where progress is shown."""
    from kinema.core.printing import make_console

    return make_console(stderr=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object, on a line of standard output."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, allow_nan=False)
    print(text)


def show_report(report: Any, page: Any) -> None:
    """A report as a table, and where its page is."""
    from kinema.core.printing import make_console, show
    from kinema.reporting import differences, table, words

    console = make_console()
    console.print(*(part for part in (table(report), differences(report), words(report)) if part is not None))
    show(console, f"The page: {page}")


def _check_settings_files(parser: ArgumentParser, given: list[str]) -> None:
    """Refuses files of settings that would have a class imported, before the parser reads them: it imports, then asks.

    Raises:
        UsageError: a file names a class, or another file, where settings belong.
    """
    files = [after for word, after in pairwise(given) if is_config(word)]
    files += [word.partition("=")[2] for word in given if "=" in word and is_config(word.partition("=")[0])]
    for file in files:
        held = settings_in(file)
        _check_settings(held, parser.get_defaults().as_dict(), file, set())


def settings_in(file: str) -> Mapping[Any, Any]:
    """What a file of settings, or a text of some, holds; empty where it cannot be read, as the parser will say.

    Args:
        file: the file's path, or the settings themselves as YAML or JSON.
    """
    import yaml

    try:
        held = yaml.safe_load(file if "\n" in file or ":" in file else Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return held if isinstance(held, dict) else {}


def is_config(word: str) -> bool:
    """Whether a word is --config, or the beginning of it that the parser takes for it."""
    return len(word) > 2 and "--config".startswith(word)


def _check_settings(held: Mapping[Any, Any], defaults: Any, file: str, seen: set[int]) -> None:
    if id(held) in seen:
        return
    seen.add(id(held))
    for key, value in held.items():
        parts, usual = str(key).split("."), defaults
        for part in parts:
            usual = usual.get(part) if isinstance(usual, dict) else None
        if {"class_path", "init_args"} & set(parts) or (isinstance(usual, dict) and isinstance(value, str)):
            raise UsageError(
                f"The settings file '{file}' names a class or another file at '{key}'; nothing was imported.",
                "Write the settings themselves there, each with its value.",
            )
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                _check_settings(each, usual, file, seen)
