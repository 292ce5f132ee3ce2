"""``--where``: one grammar, for rows in memory and for tables; what is unknown makes nothing true."""

import itertools
import sqlite3
from dataclasses import dataclass, field

import pytest

from kinema.core.conditions import CONDITION, chosen, parse, shown
from kinema.core.errors import DataError, UsageError
from kinema.core.guesses import guess
from kinema.core.selecting import holds
from kinema.core.tables import matching

COLUMNS = ("label", "take", "duration")
ROWS = list(itertools.product(("walk", "Walk", "run's", None), ("3", "12", None), (2.0, 7.5, None)))
CONDITIONS = (
    "label = 'walk' AND duration > 2",
    "label = 'walk' OR take = '3' AND duration < 5",
    "(label = 'walk' OR take = '3') AND duration < 5",
    "NOT label = 'walk'",
    "label IN ('walk', 'run''s') AND take NOT IN ('3')",
    "label IN ('walk', NULL)",
    "label IS NULL OR take IS NOT NULL",
    "label LIKE 'w%' OR label LIKE '_un%'",
    "label NOT LIKE '%k'",
    "duration BETWEEN 2 AND 5 AND duration NOT BETWEEN 3 AND 4",
    "duration * 2 - 1 >= 3 AND -duration < -2",
    "lower(label) = 'walk' AND length(take) = 2",
    "upper(label) <> 'WALK' AND abs(duration - 5) < 3",
    "round(duration) = 8",
    "(duration > 2) = TRUE OR NULL",
    "take > '2'",
    '"label" = `label` AND 7 / 2 = 3 AND 7.0 / 2 = 3.5 AND 7 % 4 = 3',
)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows_in_memory_are_chosen_as_an_engine_of_sql_would(condition):
    base = sqlite3.connect(":memory:")
    base.execute("PRAGMA case_sensitive_like = ON")
    base.execute("CREATE TABLE t (label TEXT, take TEXT, duration REAL)")
    base.executemany("INSERT INTO t VALUES (?, ?, ?)", ROWS)
    expected = base.execute(f"SELECT label, take, duration FROM t WHERE {condition}").fetchall()
    node = parse(condition)
    assert [row for row in ROWS if holds(node, dict(zip(COLUMNS, row, strict=True)).get)] == expected
    assert 0 < len(expected) < len(ROWS)


def test_pairs_and_conditions_are_told_apart_and_written_back():
    words = ["person=jack o'neill", "split=", "label = 'a=b' AND take > '3'", "label=walk OR label = 'run'"]
    found = chosen(words, "--where")
    assert found == {
        "person": "jack o'neill",
        "split": "",
        CONDITION: "(label = 'a=b' AND take > '3') AND (label=walk OR label = 'run')",
    }
    assert chosen(shown(found), "--where") == found
    assert chosen(["a=b=c", "x='y'"], "-") == {"a": "b=c", CONDITION: "x='y'"}
    for word, said in {"test": "compares nothing", "a >": "nothing where a column", "a=1;b": None}.items():
        if said is None:
            assert chosen([word], "--query") == {"a": "1;b"}
            continue
        with pytest.raises(UsageError, match=said) as error:
            chosen([word], "--query")
        assert error.value.message.startswith(f'--query "{word}"')
        assert "--query label=walk" in error.value.hint
    with pytest.raises(UsageError, match="no row is both"):
        chosen(["a=b", "a=c"], "--where")


@dataclass
class Row:
    label: str | None
    duration: float
    attributes: dict = field(default_factory=dict)

    @property
    def path(self):
        return f"{self.label}.mp4"

    def value(self, key):
        return self.label if key == "label" else self.attributes.get(key)


def test_what_cannot_be_asked_of_rows_is_named():
    rows = [Row("walk", 2.0, {"take": "3"}), Row("run", 4.0, {"take": "12"})]

    def asked(condition):
        return [row.label for row in matching(rows, chosen([condition], "--where"), ("label", "take"), "video")]

    assert asked("duration > 3") == ["run"]
    assert asked("take = '3' AND label LIKE 'w%'") == ["walk"]
    assert asked("take=3") == ["walk"]
    assert asked("video LIKE '%n.mp4'") == ["run"]
    with pytest.raises(UsageError, match="there is no column 'lable'") as error:
        asked("lable = 'walk'")
    assert error.value.hint.startswith("Did you mean 'label'? The columns are: label, take, video, duration.")
    for condition in (
        "take > 3",
        "duration = 'long'",
        "label + 1 = 2",
        "lower(duration) = 'a'",
        "label AND take = '3'",
    ):
        with pytest.raises(UsageError, match=r"where a (number|text|truth) should be"):
            asked(condition)
    with pytest.raises(DataError, match="is true of no video among the 2") as error:
        asked("label = 'jump'")
    assert "The values of label are: run, walk." in error.value.hint
    with pytest.raises(DataError, match="No video has 'lable'") as error:
        asked("lable=walk")
    assert "Did you mean 'label'?" in error.value.hint


@pytest.mark.parametrize(
    ("typed", "meant"), [("mocco", "moco"), ("CPR", "cpr"), ("batch-size", "batch_size"), ("zzz", None), ("", None)]
)
def test_the_nearest_name(typed, meant):
    assert guess(typed, ("moco", "cpr", "simclr", "batch_size")) == meant
