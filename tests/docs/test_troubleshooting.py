"""The page of what goes wrong quotes messages that kinema really has."""

import ast
import re
from pathlib import Path

from rooms import SOURCE, parsed

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/troubleshooting.md"


def messages():
    """Every text of the source; what is filled in is '…'."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append(re.sub("…+", "…", "".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%[.\d]*[sdgf]", "…", node.value))
    return found


def quoted():
    return re.findall(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def missing(headings, texts):
    """Headings of which a part between two '…' stands in no message."""
    pieces = {heading: [p for p in (p.strip(" '.") for p in heading.split("…")) if len(p) > 3] for heading in headings}
    together = "\n".join(texts)
    return [heading for heading, each in pieces.items() if not each or any(p not in together for p in each)]


def test_quoted_messages_are_those_of_the_source():
    assert len(quoted()) > 15
    assert missing(quoted(), messages()) == []
    assert missing(["The device '…' was eaten."], messages())
