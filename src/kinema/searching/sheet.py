"""Hits as one HTML page, with the pictures of videos or the passages of documents; it asks for nothing from outside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kinema.core.files import write_text
from kinema.searching.documents.find import PassageHit
from kinema.searching.find import Found


def sheet(found: Found[Any]) -> str:
    """A search of videos or of documents as an HTML document, by ``sheet.html.jinja``; every text of it is escaped."""
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
    passages = bool(found.hits) and isinstance(found.hits[0], PassageHit)
    name = found.query if passages else found.query.replace("\\", "/").rpartition("/")[2]
    return pages.get_template("sheet.html.jinja").render(found=found, name=name, passages=passages)


def write_sheet(found: Found[Any], path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, sheet(found))
