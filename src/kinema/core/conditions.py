"""The conditions of ``--where``: KEY=VALUE, or a small part of SQL, read to its end before anything is asked.

They are the same wherever rows are chosen: a table that is searched hands them to its engine, rows in memory are asked
by :mod:`kinema.core.selecting`. The engine knows hundreds of functions, some of which make a text of a billion letters
from one of ten (``repeat``, ``lpad``). So a condition is taken apart here, and is allowed only if it is made of
columns, values, comparisons and the functions of ``FUNCTIONS``, none of which gives back more than it got. What is not
known here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kinema.core.errors import UsageError
from kinema.core.guesses import did_you_mean

CONDITION = ""
"""The key under which a condition stands among keys and values that must hold beside it."""
_PAIR = re.compile(r"\s*([^\W\d][\w.-]*)=(?![=\s'\"`])(?!.*\s(?:AND|OR)\s)(.*)", re.DOTALL | re.IGNORECASE)
"""KEY=VALUE without a space around '='; what joins several, or has its value in quotation marks, is a condition."""

FUNCTIONS = {
    "abs": 1,
    "char_length": 1,
    "contains": 2,
    "ends_with": 2,
    "length": 1,
    "lower": 1,
    "round": 1,
    "starts_with": 2,
    "upper": 1,
}
"""What may be called, with how many arguments."""

MAX_LENGTH = 10_000
"""Characters of a condition."""
MAX_DEPTH, MAX_PARTS, MAX_TEXT, MAX_NUMBER, MAX_VALUES = 50, 400, 1000, 40, 1000
"""Nested brackets, calls and NOTs; joined parts; letters of a text or name; letters of a number; values of IN."""

_COMPARE = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_WORDS = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "BETWEEN", "TRUE", "FALSE"})
_OPERATORS = ("<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d]\w*")
Kind = Literal["text", "name", "number", "word", "operator", "end"]


class GrammarError(ValueError):
    """What is not allowed in a condition; the message goes on from 'the condition'."""


@dataclass(frozen=True)
class Token:
    """A piece of a condition.

    Args:
        kind: 'name' is a column or a function, 'word' one of the language's, in capitals.
        text: as it is there; of a text or a quoted name with its marks.
    """

    kind: Kind
    text: str


def tokens(condition: str) -> list[Token]:
    """Takes a condition apart.

    Raises:
        GrammarError: it holds something else.
    """
    found: list[Token] = []
    at = 0
    while at < len(condition):
        letter = condition[at]
        if letter.isspace():
            at += 1
            continue
        if letter in "'\"`":
            token = Token("text" if letter == "'" else "name", _quoted(condition, at))
        elif (number := _NUMBER.match(condition, at)) is not None and letter.isascii():
            token = Token("number", number[0])
        elif (name := _NAME.match(condition, at)) is not None:
            word = name[0].upper()
            token = Token("word", word) if word in _WORDS else Token("name", name[0])
        elif condition.startswith(("--", "/*"), at):
            raise GrammarError("holds a comment")
        else:
            operator = next((each for each in _OPERATORS if condition.startswith(each, at)), None)
            if operator is None:
                raise GrammarError(f"holds {letter!r}, which is not part of a condition")
            token = Token("operator", operator)
        at += len(name[0]) if token.kind == "word" and name is not None else len(token.text)
        most = MAX_NUMBER if token.kind == "number" else MAX_TEXT
        if len(token.text) > most:
            raise GrammarError(f"holds a {token.kind} of {len(token.text)} letters; it may have {most}")
        found.append(token)
    return [*found, Token("end", "")]


@dataclass(frozen=True)
class Node:
    """A part of a condition.

    Args:
        kind: 'column', 'text', 'number', 'NULL', 'TRUE', 'FALSE'; 'AND', 'OR', 'NOT', 'compare', 'IS', 'IN', 'LIKE',
            'BETWEEN', 'arithmetic' or 'call', which have parts.
        text: the name, the value or the operator, without marks; 'NOT' before it where it is denied.
        parts: what it is made of.
    """

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()


def parse(condition: str) -> Node:
    """Reads a condition to its end.

    Raises:
        GrammarError: it is more, or something else, than what is allowed.
    """
    return _Reader(tokens(condition)).whole()


def columns_of(node: Node) -> tuple[str, ...]:
    """The columns that a condition names, each once."""
    own = (node.text,) if node.kind == "column" else ()
    return tuple(dict.fromkeys((*own, *(name for part in node.parts for name in columns_of(part)))))


def chosen(words: Sequence[str], option: str) -> dict[str, str]:
    """What is given after --where as keys and their values, and a condition beside them, under :data:`CONDITION`.

    Args:
        words: each KEY=VALUE or a condition; all must hold.
        option: whose they are, for the message.

    Raises:
        UsageError: one of them is neither, or a key has two values.
    """
    found: dict[str, str] = {}
    conditions = []
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            check(word, option)
            conditions.append(word)
        elif found.setdefault(pair[1], pair[2]) != pair[2]:
            raise UsageError(
                f"{option} asks for {pair[1]}={found[pair[1]]} and for {pair[1]}={pair[2]}, and no row is both.",
                f"One or the other: {option} \"{pair[1]} IN ('{found[pair[1]]}', '{pair[2]}')\"",
            )
    joined = " AND ".join(f"({each})" for each in conditions) if len(conditions) > 1 else "".join(conditions)
    return found | ({CONDITION: joined} if joined else {})


def as_chosen(where: str | Mapping[str, str] | None) -> Mapping[str, str] | None:
    """What a caller in Python gave: keys and values, or a condition as a text."""
    return chosen([where], "where") if isinstance(where, str) else where


def shown(where: Mapping[str, str]) -> list[str]:
    """The words after --where that choose so; the other way round of :func:`chosen`."""
    return [value if key == CONDITION else f"{key}={value}" for key, value in where.items()]


def check(condition: str, option: str = "--where") -> Node:
    """Reads what a user wrote.

    Args:
        condition: as it was written.
        option: where, for the message.

    Raises:
        UsageError: it is no condition; says where it stops being one, and shows one that is.
    """
    written = f'{option} "{condition[:200].encode("utf-8", "backslashreplace").decode()}"'
    if len(condition) > MAX_LENGTH or not condition.strip():
        raise UsageError(f"{option} has {len(condition)} characters; it may have 1 to {MAX_LENGTH}.", example(option))
    if "\0" in condition or condition.encode("utf-8", "replace").decode() != condition:
        raise UsageError(f"{written} holds characters that no text has.", example(option))
    try:
        _check_brackets(condition)
        found = parse(condition)
        if found.kind in ("column", "text", "number", "arithmetic"):
            raise GrammarError("compares nothing")
        return found
    except GrammarError as error:
        raise UsageError(f"{written} {error}.", example(option)) from error


def _check_brackets(condition: str) -> None:
    """Refuses a text that would close brackets around it, or that is more than one condition.

    Raises:
        GrammarError: it is one.
    """
    depth, inside = 0, ""
    for at, letter in enumerate(condition):
        if inside:
            inside = "" if letter == inside else inside
        elif letter in "'\"`":
            inside = letter
        elif letter == ";" or condition[at : at + 2] in ("--", "/*"):
            raise GrammarError(f"is more than one condition: it holds '{condition[at : at + 2].strip()}'")
        else:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if depth < 0:
                raise GrammarError("closes a bracket that it did not open")
            if depth > MAX_DEPTH:
                raise GrammarError(f"nests more than {MAX_DEPTH} brackets")
    if inside or depth:
        raise GrammarError(f"leaves {f'a quotation mark ({inside})' if inside else 'a bracket'} open")


def example(option: str = "--where") -> str:
    """One condition of each form, for messages."""
    return f"For instance: {option} label=walk, or {option} \"label = 'walk' AND duration > 2\"."


def check_kinds(node: Node, kinds: Mapping[str, str], written: str, inner: Sequence[str] = ()) -> None:
    """Refuses columns that are not there, and texts that are compared with numbers.

    Args:
        node: the condition.
        kinds: of the columns, by name: 'text', 'number', 'truth', or 'any' for what is not known.
        written: the option with the condition, for messages.
        inner: columns that are there for the program, and are not named to a person.

    Raises:
        UsageError: names the column, and those there are.
    """
    for name in columns_of(node):
        if name not in kinds:
            named = [each for each in kinds if each not in inner]
            hint = f"The columns are: {', '.join(named)}. A text stands in quotation marks: 'walk'."
            raise UsageError(f"{written}: there is no column '{name}'.", f"{did_you_mean(name, named)}{hint}")
    try:
        _kind(node, kinds, "truth")
    except GrammarError as error:
        raise UsageError(f"{written} {error}.", "A number in quotation marks is a text: take = '3'.") from error


_TAKES = {"abs": "number", "round": "number"}
_GIVES = {
    "abs": "number",
    "round": "number",
    "length": "number",
    "char_length": "number",
    "lower": "text",
    "upper": "text",
}
_CONSTANTS = {"text": "text", "number": "number", "NULL": "any", "TRUE": "truth", "FALSE": "truth"}


def _kind(node: Node, kinds: Mapping[str, str], wanted: str = "any") -> str:
    """The kind of a part: 'text', 'number', 'truth' or 'any'; an error where it is not the one that is wanted."""
    if node.kind == "column":
        found = kinds[node.text]
    elif node.kind in _CONSTANTS:
        found = _CONSTANTS[node.kind]
    elif node.kind == "call":
        for part in node.parts:
            _kind(part, kinds, _TAKES.get(node.text, "text"))
        found = _GIVES.get(node.text, "truth")
    elif node.kind == "arithmetic":
        for part in node.parts:
            _kind(part, kinds, "number")
        found = "number"
    else:
        inner = {"AND": "truth", "OR": "truth", "NOT": "truth", "LIKE": "text"}.get(node.kind, "any")
        found, seen = "truth", inner
        for part in node.parts:
            each = _kind(part, kinds, seen)
            seen = each if seen == "any" and node.kind != "IS" else seen
    if "any" not in (found, wanted) and found != wanted:
        raise GrammarError(f"has {_said(node, found)} where a {wanted} should be")
    return found


def _said(node: Node, kind: str) -> str:
    what = {"column": f"the column '{node.text}', a {kind},", "text": f"the text '{node.text[:40]}'"}
    return what.get(node.kind, f"the number {node.text}" if node.kind == "number" else f"a {kind}")


def _quoted(condition: str, at: int) -> str:
    mark, end = condition[at], at + 1
    while (end := condition.find(mark, end)) >= 0:
        if condition[end + 1 : end + 2] != mark:
            return condition[at : end + 1]
        end += 2
    raise GrammarError(f"leaves a quotation mark ({mark}) open")


class _Reader:
    """Goes through the pieces by the rules, the loosest binding first."""

    def __init__(self, pieces: list[Token]) -> None:
        self._pieces, self._at, self._depth, self._parts = pieces, 0, 0, 0

    def whole(self) -> Node:
        found = self._joined()
        if self._now.kind != "end":
            raise GrammarError(f"goes on with {self._shown()} where it should end")
        return found

    @property
    def _now(self) -> Token:
        return self._pieces[self._at]

    def _shown(self) -> str:
        return "nothing" if self._now.kind == "end" else f"'{self._now.text[:40]}'"

    def _take(self, *texts: str) -> bool:
        """Goes over one of these words or operators, if it is next."""
        if self._now.kind not in ("word", "operator") or self._now.text not in texts:
            return False
        self._at += 1
        return True

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise GrammarError(f"has {self._shown()} where '{text}' should be")

    def _joins(self, *texts: str) -> bool:
        if not self._take(*texts):
            return False
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise GrammarError(f"joins more than {MAX_PARTS} parts; IN takes a list")
        return True

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise GrammarError(f"nests more than {MAX_DEPTH} brackets, calls, signs and NOTs")

    def _joined(self) -> Node:
        found = [self._both()]
        while self._joins("OR"):
            found.append(self._both())
        return found[0] if len(found) == 1 else Node("OR", parts=tuple(found))

    def _both(self) -> Node:
        found = [self._negated()]
        while self._joins("AND"):
            found.append(self._negated())
        return found[0] if len(found) == 1 else Node("AND", parts=tuple(found))

    def _negated(self) -> Node:
        if not self._take("NOT"):
            return self._compared()
        self._deeper()
        found = self._negated()
        self._depth -= 1
        return Node("NOT", parts=(found,))

    def _compared(self) -> Node:
        left = self._sum()
        operator = self._now.text
        if operator in _COMPARE and self._joins(*_COMPARE):
            return Node("compare", operator, (left, self._sum()))
        if self._take("IS"):
            denied = "NOT " if self._take("NOT") else ""
            what = self._now.text
            if not self._take("NULL", "TRUE", "FALSE"):
                raise GrammarError(f"has {self._shown()} where NULL, TRUE or FALSE should be")
            return Node("IS", denied + what, (left,))
        denied = "NOT" if self._take("NOT") else ""
        word = self._now.text
        if self._take("IN"):
            return Node("IN", denied, (left, *self._listed()))
        if self._take("LIKE", "ILIKE"):
            return Node("LIKE", f"{denied} {word}".strip(), (left, self._text()))
        if self._joins("BETWEEN"):
            low = self._sum()
            self._need("AND")
            return Node("BETWEEN", denied, (left, low, self._sum()))
        if denied:
            raise GrammarError(f"has {self._shown()} where IN, LIKE or BETWEEN should be")
        return left

    def _listed(self) -> list[Node]:
        self._need("(")
        found = [self._sum()]
        while self._take(","):
            found.append(self._sum())
            if len(found) > MAX_VALUES:
                raise GrammarError(f"lists more than {MAX_VALUES} values")
        self._need(")")
        return found

    def _text(self) -> Node:
        if self._now.kind != "text":
            raise GrammarError(f"has {self._shown()} where a text should be")
        return self._value()

    def _value(self) -> Node:
        """A text or number, or a column, without its marks."""
        token = self._now
        self._at += 1
        mark = token.text[0]
        bare = token.text[1:-1].replace(mark * 2, mark) if mark in "'\"`" else token.text
        return Node({"name": "column", "word": token.text}.get(token.kind, token.kind), bare)

    def _sum(self) -> Node:
        found = self._product()
        while (operator := self._now.text) in ("+", "-") and self._joins("+", "-"):
            found = Node("arithmetic", operator, (found, self._product()))
        return found

    def _product(self) -> Node:
        found = self._operand()
        while (operator := self._now.text) in ("*", "/", "%") and self._joins("*", "/", "%"):
            found = Node("arithmetic", operator, (found, self._operand()))
        return found

    def _operand(self) -> Node:
        token = self._now
        if self._take("+", "-", "("):
            self._deeper()
            if token.text == "(":
                found = self._joined()
                self._need(")")
            else:
                found = Node("arithmetic", token.text, (self._operand(),))
            self._depth -= 1
            return found
        if token.kind == "name":
            found = self._value()
            return self._called(token.text) if self._take("(") else found
        if token.kind in ("text", "number") or token.text in ("NULL", "TRUE", "FALSE"):
            return self._value()
        raise GrammarError(f"has {self._shown()} where a column or a value should be")

    def _called(self, name: str) -> Node:
        count = FUNCTIONS.get(name.lower())
        if count is None:
            raise GrammarError(f"calls '{name[:40]}'; it may call {', '.join(FUNCTIONS)}")
        self._deeper()
        found = []
        for number in range(count):
            if number:
                self._need(",")
            found.append(self._sum())
        if not self._take(")"):
            raise GrammarError(f"gives {name} more than {count} argument{'s' if count > 1 else ''}")
        self._depth -= 1
        return Node("call", name.lower(), tuple(found))
