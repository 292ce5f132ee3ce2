"""What a card says that a preset is, it is: every table of a preset in docs/methods is read beside the preset itself.

Such a table has the head ``| `METHOD --preset NAME` | paper | release | ours |``. The first cell of a row names
settings of the plan, the last one their values, as JSON. Where these are neither, words say why.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kinema.recipes.table import METHODS, preset

CARDS = sorted((Path(__file__).resolve().parents[2] / "docs" / "methods").glob("*.md"))
HEAD = re.compile(r"^\| `(\S+) --preset (\S+)` \| paper \| release \| ours \|$")
CODE = re.compile(r"`([^`]+)`")


def tables(card):
    """The tables of presets in a card: (method, preset) to rows of cells."""
    found, rows = {}, None
    for line in card.read_text(encoding="utf-8").splitlines():
        if head := HEAD.match(line):
            rows = found.setdefault((head[1], head[2]), [])
        elif rows is not None and line.startswith("|"):
            if not set(line) <= set("|-"):
                rows.append([cell.strip() for cell in line.strip("|").split("|")])
        else:
            rows = None
    return found


ALL = [(card, key, rows) for card in CARDS for key, rows in tables(card).items()]


def held(plan, path):
    """A setting of a plan by its path; 'phases' are those of its recipe."""
    value = plan
    for number, name in enumerate(path.split(".")):
        if number == 0 and name == "phases":
            value = plan.recipe().phases
        elif name.isdigit():
            value = value[int(name)]
        else:
            value = value[name] if isinstance(value, dict) else getattr(value, name)
    return json.loads(json.dumps(value))


def parsed(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def test_every_card_has_a_table_and_every_preset_named_paper_too():
    assert [card.stem for card in CARDS if not tables(card)] == []
    there = {key for _, key, _ in ALL}
    wanted = {(name, each) for name, entry in METHODS.items() for each in entry.presets if each.startswith("paper")}
    assert wanted <= there
    assert all(each in METHODS[name].presets for name, each in there)


@pytest.mark.parametrize(("card", "key", "rows"), ALL, ids=["-".join(key) for _, key, _ in ALL])
def test_a_preset_is_what_its_card_says(card, key, rows):
    plan, wrong = preset(key[1], key[0]), []
    assert rows, "an empty table"
    for row in rows:
        assert len(row) == 4, row
        paths, paper, release, ours = (CODE.findall(cell) for cell in row)
        told = [parsed(text) for text in ours[: len(paths)]]
        is_now = [held(plan, path) for path in paths]
        if not paths or told != is_now:
            wrong.append(f"{row[0]}: the card says {told}, and it is {is_now}")
        as_theirs = any(theirs and [parsed(text) for text in theirs] == told for theirs in (paper, release))
        reason = CODE.sub("", row[3]).strip(" ,;()")
        if not as_theirs and not reason:
            wrong.append(f"{row[0]}: {told} is neither the paper's nor the release's, and no reason is given")
    assert wrong == [], card.name
