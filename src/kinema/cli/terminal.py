"""What all verbs of the command line share: a parser whose complaints are ours, and where output goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from kinema.cli.verbs import VERBS
from kinema.core.errors import UsageError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace


def make_parser(verb: str, more: str = "") -> ArgumentParser:
    """A parser of a verb's arguments, with --json.

    Args:
        verb: the verb, and what it is of: 'pretrain cpr'.
        more: what --help says beside the line of the verb.
    """
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:  # noqa: ARG002 - the base's signature
            raise UsageError(" ".join(str(message).split()), f"See: {self.prog} --help")

    parser = Parser(prog=f"kinema {verb}", description=f"{VERBS[verb.split()[0]]}. {more}".strip(), exit_on_error=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def parse(parser: ArgumentParser, given: list[str]) -> Namespace:
    """The arguments.

    Raises:
        UsageError: they cannot be understood.
    """
    from jsonargparse import ArgumentError

    try:
        return parser.parse_args(given)
    except ArgumentError as error:
        raise UsageError(" ".join(str(error).split()), f"See: {parser.prog} --help") from error


def pairs(given: list[str] | None, option: str) -> dict[str, str] | None:
    """KEY=VALUE arguments as a mapping; None where there are none.

    Args:
        given: the arguments.
        option: whose they are, for the message.

    Raises:
        UsageError: one of them has no '='.
    """
    if not given:
        return None
    wrong = [item for item in given if "=" not in item]
    if wrong:
        raise UsageError(f"{option} {wrong[0]}: expected KEY=VALUE, for instance {option} split=test.")
    return dict(item.split("=", 1) for item in given)


def stderr_console() -> Any:
    """Where progress is shown."""
    from rich.console import Console

    return Console(stderr=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object, on a line of standard output."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def show_report(report: Any, page: Any) -> None:
    """A report as a table, and where its page is."""
    from rich.console import Console

    from kinema.reporting import table, words

    console = Console()
    console.print(table(report), words(report))
    console.print(f"The page: {page}", highlight=False)
