"""The options of every verb as text: what ``--help`` and the completion of a shell show without making a parser.

A parser of ``pretrain`` is made of the settings of a method, which load torch; that takes seconds. So what its help
says is written into ``options.json`` by ``python scripts/options.py``, and a test makes every parser and compares. What
the file does not hold (a method that was added since) is described from its parser.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

FILE = Path(__file__).with_name("options.json")
RUNNING = "Running"
"""The group of options that say where and how, and change no result; it is shown last."""
FEW = 14
"""Up to so many options of a verb are in one group, and are shown at once."""
_NATIVE = ("positional arguments", "options")
"""What argparse calls the groups of arguments that were put into none."""
_NUMBERS = {int: "N", float: "X"}
_OF_PARSER = {
    "help": "show the options that matter most; '--help all' shows every one",
    "print_config": "print the settings as YAML, for a file that --config takes, and end",
}
"""What options of the library are for."""


@dataclass(frozen=True)
class Option:
    """One option or argument of a verb.

    Args:
        flags: as it is written; empty of an argument that is known by its place.
        name: of the value that it sets, with dots: 'method.view'.
        value: what stands for its value: 'N', '{rgb,motion}'; empty where it takes none.
        help: one sentence.
        required: whether it cannot be left out.
        choices: the words that may be its value, where there are few.
    """

    flags: tuple[str, ...]
    name: str
    value: str
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How it is called in this catalogue: by its long name."""
        return self.flags[-1] if self.flags else self.name


@dataclass(frozen=True)
class Described:
    """All that is shown of a verb, or of a verb and the method, protocol or data set that it is told.

    Args:
        about: what it does.
        groups: its options, by the name of their group, in the order in which they are shown.
        defaults: by preset, then by :attr:`Option.key`; the first preset is the usual one, the others say what differs.
    """

    about: str
    groups: Mapping[str, tuple[Option, ...]]
    defaults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def options(self) -> tuple[Option, ...]:
        """Those of all groups."""
        return tuple(option for options in self.groups.values() for option in options)

    def default(self, option: Option, preset: str | None = None) -> str:
        """What an option is where it is not given; empty where there is nothing to say."""
        usual = next(iter(self.defaults.values()), {})
        return {**usual, **self.defaults.get(preset or "", {})}.get(option.key, "")


def described(parser: ArgumentParser) -> Described:
    """What a parser takes, in words.

    Args:
        parser: as :func:`kinema.cli.terminal.make_parser` makes it.
    """
    from argparse import SUPPRESS

    titles = getattr(parser, "titles", {})
    defaults, given = parser.get_defaults(), {}
    groups: dict[str, list[Option]] = {}
    for group in parser._action_groups:
        for action in group._group_actions:
            if action.help == SUPPRESS:
                continue
            option = _option(action)
            title = _title(option.name, titles) or ("" if group.title in _NATIVE else group.title or "")
            groups.setdefault(title, []).append(option)
            shown = _shown(defaults.get(action.dest, None))
            if shown and option.value:
                given[option.key] = shown
    if RUNNING in groups:
        groups[RUNNING] = groups.pop(RUNNING)
    if "" in groups and sum(len(each) for each in groups.values()) <= FEW:
        groups = {"Arguments and options": [option for each in groups.values() for option in each]}
    ordered = {title: tuple(options) for title, options in groups.items()}
    return Described(parser.description or "", ordered, {"": given} if given else {})


def _title(name: str, titles: Mapping[str, str]) -> str:
    """The group of a nested setting, by the longest beginning of its name that has one."""
    parts = name.split(".")
    found = [titles[".".join(parts[:end])] for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in titles]
    return found[0] if found else ""


def _option(action: Any) -> Option:
    kind, nested = getattr(action, "_typehint", None), type(action).__name__ == "_ActionConfigLoad"
    choices = tuple(str(each) for each in _choices(kind))
    text = _OF_PARSER.get(action.dest, (action.help or "").replace("%%", "%"))
    if nested:
        text = "all settings of this part: a YAML or JSON file, or JSON"
    elif type(action).__name__ == "_ActionHelpClassPath":
        text = "show what can be set of one, by its name, and end"
    elif text.startswith("of "):
        text = f"{action.dest.rpartition('.')[2].replace('_', ' ')} {text}"
    flags = tuple(each for each in action.option_strings if not each.startswith("--no_"))
    value = _value(action, kind, nested, choices)
    return Option(flags, action.dest, value, text, bool(action.required and flags), choices)


def _value(action: Any, kind: Any, nested: bool, choices: Sequence[str]) -> str:
    """What stands for the value of an option."""
    if action.nargs == 0 or type(action).__name__ == "_ActionPrintConfig":
        return ""
    last = action.dest.rpartition(".")[2].upper()
    if type(action).__name__ == "_ActionHelpClassPath":
        return "NAME"
    if nested or action.dest == "config":
        name = "FILE"
    elif choices:
        name = f"{{{','.join(choices)}}}"
    else:
        lists = [each for each in (kind, *get_args(kind)) if get_origin(each) is tuple]
        inner = get_args(lists[0]) if lists else (kind, *get_args(kind))
        name = next((_NUMBERS[each] for each in inner if each in (int, float)), last)
        name = f"[{name},…]" if lists else name
    return f"{name} …" if action.nargs in ("+", "*") else name


def _choices(kind: Any) -> Iterable[Any]:
    if kind is bool:
        return ("true", "false")
    return next((get_args(each) for each in (kind, *get_args(kind)) if get_origin(each) is Literal), ())


def _shown(value: Any) -> str:
    """A default in a few letters; empty where it says nothing."""
    if value is None or value == "" or value == () or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int | str):
        return str(value)
    if isinstance(value, tuple | list) and all(isinstance(each, int | float | str) for each in value):
        words = [_shown(each) for each in value]
        return " ".join(words) if all(isinstance(each, str) for each in value) else f"[{','.join(words)}]"
    return ""


def written(entries: Mapping[str, Described], lists: Mapping[str, Mapping[str, str]]) -> str:
    """The text of ``options.json``: each option that several verbs share stands in it once.

    Args:
        entries: by verb, or by verb and method: 'pretrain cpr'.
        lists: by verb: what its first argument may be, a line each.
    """
    options: dict[str, list[Any]] = {}
    plain = {}
    for words, entry in entries.items():
        groups = {}
        for title, held in entry.groups.items():
            groups[title] = [_interned(options, option, words) for option in held]
        plain[words] = {"about": entry.about, "groups": groups, "defaults": entry.defaults}
    lines = {
        "lists": [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in lists.items()],
        "options": [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in options.items()],
        "entries": [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in plain.items()],
    }
    parts = [f'"{name}": {{\n' + ",\n".join(each) + "\n}" for name, each in lines.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _interned(options: dict[str, list[Any]], option: Option, words: str) -> str:
    """The name under which an option stands in the file."""
    row = [list(option.flags), option.name, option.value, option.help, option.required, list(option.choices)]
    name = option.key
    if options.setdefault(name, row) != row:
        name = next((each for each, held in options.items() if held == row), f"{option.key} of {words}")
        options.setdefault(name, row)
    return name


@cache
def _held() -> Mapping[str, Any]:
    try:
        held: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"lists": {}, "options": {}, "entries": {}}
    return held


def names() -> tuple[str, ...]:
    """The verbs, and verbs with what they are told, of which the file knows the options."""
    return tuple(_held()["entries"])


def listed(verb: str) -> Mapping[str, str]:
    """What the first argument of a verb may be, by name, with a line each; empty for most verbs."""
    found: Mapping[str, str] = _held()["lists"].get(verb, {})
    return found


def known(words: str) -> Described | None:
    """The options of a verb, or of a verb and a method, as the file has them; None where it has not."""
    entry = _held()["entries"].get(words)
    if entry is None:
        return None
    rows = _held()["options"]
    groups = {
        title: tuple(
            Option(tuple(row[0]), row[1], row[2], row[3], row[4], tuple(row[5])) for row in (rows[key] for key in keys)
        )
        for title, keys in entry["groups"].items()
    }
    return Described(entry["about"], groups, entry["defaults"])
