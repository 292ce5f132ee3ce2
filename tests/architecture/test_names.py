"""The report and ``evaluate`` know no method, no protocol and no figure by name; names stand in their tables alone."""

import ast
import re

import pytest
from rooms import SOURCE, parsed

from kinema.protocols.table import PROTOCOLS
from kinema.recipes.table import ENCODERS, METHODS

GENERAL = [
    *sorted((SOURCE / "reporting").glob("*.py")),
    *sorted((SOURCE / "reporting" / "templates").iterdir()),
    SOURCE / "api" / "evaluation.py",
    SOURCE / "cli" / "evaluate.py",
]
METRICS = {name: metric for protocol in PROTOCOLS.values() for name, metric in protocol.metrics.items()}
NAMES = {*METHODS, *ENCODERS, *PROTOCOLS, *METRICS, *(protocol.main for protocol in PROTOCOLS.values())}
TITLES = {
    *(entry.title for entry in ENCODERS.values()),
    *(entry.short for entry in ENCODERS.values()),
    *(metric.title for metric in METRICS.values()),
}


def acronyms(titles):
    """The words of titles that are no words of the language: 'CPR', 'MoCo', 'R@'."""
    words = {word for title in titles for word in re.findall(r"[\w@]+", title)}
    return {word for word in words if "@" in word or sum(letter.isupper() for letter in word) > 1}


def texts(file):
    """Every string of a module, docstrings and the parts of f-strings included; every line of another file."""
    if file.suffix != ".py":
        return file.read_text(encoding="utf-8").splitlines()
    nodes = ast.walk(parsed(file))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def named(text):
    """The names of the tables that a string is, quotes, or has a title of."""
    quoted = set(re.findall(r"['`\"]([\w@+-]+)['`\"]", text))
    titled = {word for word in acronyms(TITLES) if re.search(rf"(?<!\w){re.escape(word)}(?![A-Za-z])", text)}
    return ({text, *quoted} & NAMES) | titled


def test_there_is_something_to_look_for():
    assert {"cpr", "infonce", "random", "retrieval", "r@", "r@1", "accuracy", "mining_precision"} <= NAMES
    assert {"CPR", "CoCLR", "InfoNCE", "MoCo", "R@", "RankMe"} <= acronyms(TITLES)
    assert not acronyms({"Untrained network", "Accuracy, mean of classes"})
    assert named("cpr") == {"cpr"}
    assert named("an encoder, 'cpr' or another") == {"cpr"}
    assert named("R@1 of CPR") == {"R@", "R@1", "CPR"}
    assert not named("linear in the number of epochs")


@pytest.mark.parametrize("file", GENERAL, ids=lambda file: str(file.relative_to(SOURCE)))
def test_general_code_names_none_of_them(file):
    found = {name: text[:60] for text in texts(file) for name in named(text)}
    assert not found, f"{file.name} names {found}: ask the protocol or the vocabulary"
