"""What ``--help`` prints: first the options that matter most, all of them after ``--help all``."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence

from kinema.cli.catalogue import FEW, Described, Option, known, listed

FIRST: Mapping[str, tuple[str, ...]] = {
    "pretrain": ("out", "epochs", "preset", "batch_size", "device", "workers", "dry_run", "resume"),
    "evolve": ("out", "candidates", "search", "preset", "candidate_epochs", "workers", "device", "finish", "resume"),
    "evaluate": ("preset", "view", "untrained", "query", "gallery", "fit", "device", "cache", "json"),
    "embed": ("out", "view", "length", "stride", "codes", "replace", "batch_size", "workers", "device", "json"),
    "search": ("k", "where", "over", "others", "out", "table", "videos", "view", "device", "json"),
    "segment": ("steps", "order", "out", "name", "labels", "background", "rate", "view", "device", "json"),
    "serve": ("host", "port", "token", "table", "videos", "read_only", "view", "device", "json"),
    "dataset": (
        "clips_per_class",
        "test_per_class",
        "parts",
        "people",
        "cameras",
        "pairs",
        "videos",
        "seed",
        "workers",
    ),
}
"""What ``--help`` shows first, by the name of what is set, beside arguments without a name."""

OF_METHOD: Mapping[str, tuple[str, ...]] = {
    "cpr": ("method.guide", "method.stages"),
    "cpr-bank": ("method.view", "method.guide"),
    "moco": ("method.view", "method.queue"),
    "simclr": ("method.view", "method.temperature"),
    "be": ("method.view", "method.strength"),
    "dsm": ("method.view", "method.form"),
    "elo": ("method.view", "method.weights"),
    "xdc": ("method.form", "method.view", "method.guide"),
    "tot": ("method.form", "method.clusters"),
    "dcvh": ("method.bits",),
    "video-qa": ("weights", "method.pretrain_epochs"),
}
"""The same, of the settings of a method; 'clip.frames' of other methods of clips."""


def asked(given: Sequence[str]) -> str:
    """What of the help is asked for: 'first', 'all', or nothing.

    Args:
        given: the words after the verb.
    """
    if "--help_all" in given:
        return "all"
    found = [number for number, word in enumerate(given) if word in ("-h", "--help")]
    if not found:
        return ""
    return "all" if given[found[0] + 1 : found[0] + 2] == ["all"] else "first"


def preset_in(given: Sequence[str]) -> str | None:
    """The preset that is named among the words of a command line."""
    for number, word in enumerate(given):
        if word.startswith("--preset="):
            return word.partition("=")[2]
        if word == "--preset" and number + 1 < len(given):
            return given[number + 1]
    return None


def from_catalogue(verb: str, given: Sequence[str]) -> str | None:
    """The help of a verb without loading it; None where the catalogue does not know it.

    Args:
        verb: the verb.
        given: the words after it, among them one that asks for help.
    """
    words = f"{verb} {given[0]}" if listed(verb) and given and not given[0].startswith("-") else verb
    if verb in ("pretrain", "dataset") and words == verb and listed(verb):
        return listing(verb)
    entry, preset = known(words), preset_in(given)
    if entry is None or (preset is not None and preset not in entry.defaults):
        return None
    return text(words, entry, asked(given) == "all", preset)


def listing(verb: str) -> str:
    """What a verb's first argument may be."""
    what = {"pretrain": ("METHOD DATA --out RUN", "methods"), "dataset": ("NAME DIR", "data sets")}[verb]
    rows = listed(verb)
    width = max(len(name) for name in rows)
    lines = [line for name, said in rows.items() for line in _row(name, said, width)]
    one = {"pretrain": "METHOD", "dataset": "NAME"}[verb]
    return (
        f"usage: kinema {verb} {what[0]} [options]\n\n{what[1]}:\n" + "\n".join(lines) + f"\n\n"
        f"'kinema {verb} {one} --help' shows what can be set.\n"
        + ("'kinema pretrain --list' names the papers too, and with --json as JSON.\n" if verb == "pretrain" else "")
    )


def text(words: str, entry: Described, everything: bool, preset: str | None = None) -> str:
    """The help of a verb.

    Args:
        words: the verb, and the method or the like that it is told.
        entry: its options.
        everything: whether all are shown.
        preset: whose defaults are shown; the usual one's by default.
    """
    needed = [option for option in entry.options if option.required or not option.flags]
    usage = " ".join(f"{option.flags[-1]} {option.value}" if option.flags else _bare(option) for option in needed)
    parts = [f"usage: kinema {words} {usage} [options]", textwrap.fill(_sentence(entry.about), _columns())]
    groups, left = entry.groups, 0
    if not everything and len(entry.options) > FEW:
        first = _first(words, entry)
        groups, left = {"The options that matter most": first}, len(entry.options) - len(first)
    for title, options in groups.items():
        rows = [line for option in options for line in _option(option, entry.default(option, preset))]
        parts.append("\n".join([f"{title}:", *rows]))
    if left:
        parts.append(f"'kinema {words} --help all' shows {left} more, in groups.")
    return "\n\n".join(parts) + "\n"


def _first(words: str, entry: Described) -> tuple[Option, ...]:
    """What must be given, and the options that matter most, in the order of the tables above."""
    verb, _, told = words.partition(" ")
    names = (*FIRST.get(verb, ()), *(OF_METHOD.get(told, ("clip.frames",)) if verb == "pretrain" else ()))
    needed = [option for option in entry.options if not option.flags or option.required]
    others = {option.name: option for option in entry.options if option not in needed}
    return (*needed, *(others[name] for name in names if name in others))


def _bare(option: Option) -> str:
    name = option.name.upper()
    return f"{name} …" if option.value.endswith("…") else name


def _option(option: Option, default: str) -> list[str]:
    head = " ".join((", ".join(option.flags), option.value)).strip() if option.flags else _bare(option)
    said = option.help + (" (required)" if option.required else f" (default: {default})" if default else "")
    return _row(head, said, 24)


def _row(head: str, said: str, width: int) -> list[str]:
    """A name, and beside it, or below where it is long, what it is."""
    lines = textwrap.wrap(said, max(_columns() - width - 4, 30)) or [""]
    indent = " " * (width + 4)
    first = [f"  {head:{width}}  {lines[0]}"] if len(head) <= width else [f"  {head}", indent + lines[0]]
    return first + [indent + line for line in lines[1:]]


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:]


def _columns() -> int:
    return min(shutil.get_terminal_size().columns, 120)
