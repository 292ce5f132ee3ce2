"""What the reference makes of docstrings: the roles of reStructuredText become code, double backquotes single ones."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:mod|func|class|meth|attr|data):`~?([^`]+)`")


class PlainRoles(griffe.Extension):
    """Rewrites the text of every docstring before it is taken apart."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = ROLE.sub(lambda match: f"`{match[1]}`", obj.docstring.value)
            obj.docstring.value = re.sub(r"``([^`]+)``", r"`\1`", text)
