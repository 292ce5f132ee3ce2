"""Makes every parser that there is, for the catalogue of their options. This loads torch; nothing that answers does."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace

from kinema.cli.catalogue import Described, described, written
from kinema.cli.terminal import Collected, collecting
from kinema.cli.verbs import VERBS


def describe(words: str, *more: str) -> Described:
    """What a verb takes, from its own parser.

    Args:
        words: the verb, and the method, protocol or data set that it is told.
        more: further words of the command line, which its options may depend on.
    """
    verb, *told = words.split()
    try:
        with collecting():
            importlib.import_module(f"kinema.cli.{verb}").run([*told, *more])
    except Collected as found:
        return described(found.parser)
    raise AssertionError(f"{verb} was run, and asked nobody for its arguments")


def lists() -> dict[str, dict[str, str]]:
    """What the first argument of a verb may be, by verb, with a line each."""
    from kinema.cli.dataset import SETS
    from kinema.protocols.table import PROTOCOLS
    from kinema.recipes.choice import AUTO, SUMMARY
    from kinema.recipes.table import METHODS

    return {
        "pretrain": {AUTO: SUMMARY} | {name: entry.summary for name, entry in METHODS.items()},
        "evaluate": {name: protocol.question for name, protocol in PROTOCOLS.items()},
        "dataset": dict(SETS),
    }


def presets() -> dict[str, tuple[str, ...]]:
    """The presets of a verb and what it is told, the usual one first."""
    from kinema.protocols.table import PROTOCOLS
    from kinema.recipes.choice import AUTO, PRESETS
    from kinema.recipes.table import METHODS

    found = {f"pretrain {name}": tuple(entry.presets) for name, entry in METHODS.items()}
    found |= {f"pretrain {AUTO}": PRESETS, "evolve": tuple(METHODS["elo"].presets)}
    return found | {f"evaluate {name}": tuple(protocol.presets) for name, protocol in PROTOCOLS.items()}


def catalogue() -> dict[str, Described]:
    """Everything that can be asked for its help, by its words."""
    first, chosen = lists(), presets()
    words = [f"{verb} {name}" for verb, names in first.items() for name in names]
    words += [verb for verb in VERBS if verb not in first]
    return {each: _with_presets(each, chosen.get(each, ())) for each in words}


def _with_presets(words: str, names: tuple[str, ...]) -> Described:
    if not names or words.startswith("evaluate "):
        found = describe(words)
        return replace(found, defaults=_named(found, names))
    plain = {name: describe(words, "--preset", name) for name in names}
    usual, *_ = plain.values()
    defaults: dict[str, Mapping[str, str]] = {}
    for name, entry in plain.items():
        assert entry.groups == usual.groups, f"{words}: the preset {name} has other options"
        own, known = _only(entry), _only(usual)
        differs = {key: own.get(key, "") for key in {**known, **own} if own.get(key, "") != known.get(key, "")}
        defaults[name] = differs if defaults else own
    return replace(usual, defaults=defaults)


def _named(entry: Described, names: tuple[str, ...]) -> dict[str, Mapping[str, str]]:
    """The presets by name, where they change no default; their help has the names nonetheless."""
    own = _only(entry)
    return {name: {} if number else own for number, name in enumerate(names)} if names else {"": own}


def _only(entry: Described) -> Mapping[str, str]:
    return next(iter(entry.defaults.values()), {})


def catalogue_text() -> str:
    """The text of ``options.json``."""
    return written(catalogue(), lists())
