"""The conditions that may be asked of a table: a small part of SQL, read to its end before the engine gets it.

The engine knows hundreds of functions, some of which make a text of a billion letters from one of ten (``repeat``,
``lpad``). So a condition is taken apart here, and is allowed only if it is made of columns, values, comparisons and the
functions of ``FUNCTIONS``, none of which gives back more than it got. What is not known here is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

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


def check(condition: str) -> None:
    """Reads a condition to its end.

    Raises:
        GrammarError: it is more, or something else, than what is allowed.
    """
    _Reader(tokens(condition)).whole()


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

    def whole(self) -> None:
        self._joined()
        if self._now.kind != "end":
            raise GrammarError(f"goes on with {self._shown()} where it should end")

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

    def _joined(self) -> None:
        self._negated()
        while self._joins("AND", "OR"):
            self._negated()

    def _negated(self) -> None:
        if self._take("NOT"):
            self._deeper()
            self._negated()
            self._depth -= 1
        else:
            self._compared()

    def _compared(self) -> None:
        self._sum()
        if self._now.text in _COMPARE and self._joins(*_COMPARE):
            self._sum()
        elif self._take("IS"):
            self._take("NOT")
            if not self._take("NULL", "TRUE", "FALSE"):
                raise GrammarError(f"has {self._shown()} where NULL, TRUE or FALSE should be")
        else:
            negated = self._take("NOT")
            if self._take("IN"):
                self._listed()
            elif self._take("LIKE", "ILIKE"):
                self._text()
            elif self._joins("BETWEEN"):
                self._sum()
                self._need("AND")
                self._sum()
            elif negated:
                raise GrammarError(f"has {self._shown()} where IN, LIKE or BETWEEN should be")

    def _listed(self) -> None:
        self._need("(")
        count = 1
        self._sum()
        while self._take(","):
            self._sum()
            count += 1
            if count > MAX_VALUES:
                raise GrammarError(f"lists more than {MAX_VALUES} values")
        self._need(")")

    def _text(self) -> None:
        if self._now.kind != "text":
            raise GrammarError(f"has {self._shown()} where a text should be")
        self._at += 1

    def _sum(self) -> None:
        self._operand()
        while self._joins("+", "-", "*", "/", "%"):
            self._operand()

    def _operand(self) -> None:
        token = self._now
        if self._take("+", "-", "("):
            self._deeper()
            if token.text == "(":
                self._joined()
                self._need(")")
            else:
                self._operand()
            self._depth -= 1
        elif token.kind == "name":
            self._at += 1
            if self._take("("):
                self._called(token.text)
        elif token.kind in ("text", "number") or token.text in ("NULL", "TRUE", "FALSE"):
            self._at += 1
        else:
            raise GrammarError(f"has {self._shown()} where a column or a value should be")

    def _called(self, name: str) -> None:
        count = FUNCTIONS.get(name.lower())
        if count is None:
            raise GrammarError(f"calls '{name[:40]}'; it may call {', '.join(FUNCTIONS)}")
        self._deeper()
        for number in range(count):
            if number:
                self._need(",")
            self._sum()
        if not self._take(")"):
            raise GrammarError(f"gives {name} more than {count} argument{'s' if count > 1 else ''}")
        self._depth -= 1
