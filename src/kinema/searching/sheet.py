"""Hits as one HTML page with their pictures in it, which asks for nothing from outside; ``sheet.html.jinja`` is it."""

from __future__ import annotations

import base64
from pathlib import Path

from kinema.core.files import write_text
from kinema.searching.find import Found


def sheet(found: Found) -> str:
    """A search as an HTML document; every text of it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters["base64"] = lambda content: base64.b64encode(content).decode()
    name = found.query.replace("\\", "/").rpartition("/")[2]
    return pages.get_template("sheet.html.jinja").render(found=found, name=name)


def write_sheet(found: Found, path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, sheet(found))
