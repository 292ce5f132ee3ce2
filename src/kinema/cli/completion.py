"""The completion of shells: ``kinema --completion bash`` prints a script, which asks ``kinema`` for the words that fit.

The script is a few lines for each shell; what may come next is worked out here, of the catalogue of options, so that it
is the same in all and that of the version that is installed. Where the words name no option, method or the like, the
shell completes names of files by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.cli.catalogue import Described, Option, known, listed
from kinema.cli.verbs import VERBS
from kinema.core.devices import NAMES
from kinema.core.errors import UsageError
from kinema.core.guesses import choose_from

ASK = "--complete"
"""How a script asks: ``kinema --complete WORD …``, the last word being the one that is begun; it may be empty."""

_BASH = """_kinema() {
    local IFS=$'\\n' word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=($(kinema --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    if [ ${#COMPREPLY[@]} -eq 0 ]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -F _kinema kinema
"""
_ZSH = """#compdef kinema
_kinema() {
    local -a found
    found=("${(@f)$(kinema --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _kinema kinema
"""
_FISH = """function __kinema_words
    kinema --complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c kinema -a '(__kinema_words)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each shell."""


def script(shell: str) -> str:
    """The script that a shell reads, for instance by ``eval "$(kinema --completion bash)"``.

    Raises:
        UsageError: there is none for that shell.
    """
    if shell not in SCRIPTS:
        raise UsageError(f"There is no completion for '{shell}'.", choose_from(shell, SCRIPTS))
    return SCRIPTS[shell]


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word, which is begun.

    Args:
        words: after 'kinema'; the last may be empty.

    Returns:
        The words that begin so; none where a file, or a value of the user's own, belongs there.
    """
    *before, begun = words or [""]
    return [word for word in _all(before, begun) if word.startswith(_spelt(begun))]


def _spelt(begun: str) -> str:
    """An option as the catalogue writes it: with '_' in place of '-'."""
    return "--" + begun[2:].replace("-", "_") if begun.startswith("--") else begun


def _all(before: Sequence[str], begun: str) -> list[str]:
    if not before:
        return [*VERBS] if not begun.startswith("-") else ["--help", "--version", "--completion"]
    if before[0] == "--completion":
        return [*SCRIPTS] if len(before) == 1 else []
    verb, *after = before
    names = listed(verb)
    if not after and names and not begun.startswith("-"):
        return [*names]
    entry = (known(f"{verb} {after[0]}") if after else None) or known(verb)
    if entry is None and names:
        return ["--help", *(["--list"] if verb == "pretrain" else [])]
    if entry is None:
        return []
    options = {_spelt(flag): option for option in entry.options for flag in option.flags}
    last = options.get(_spelt(after[-1])) if after else None
    if last is not None and last.value and not begun.startswith("-"):
        return _values(entry, last)
    return [flag for flag in options if flag.startswith("--")] if begun.startswith("-") else []


def _values(entry: Described, option: Option) -> list[str]:
    """The words that may be the value of an option."""
    if option.name == "preset":
        return [name for name in entry.defaults if name]
    if option.name == "device":
        return [*NAMES]
    return ["rgb", "motion", "residual", "rgb+motion"] if option.name in ("view", "views") else [*option.choices]
