"""Hits as a self-contained HTML page, with pictures of videos, tracklets and pairs, or passages of documents."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kinema.core.files import write_text
from kinema.searching.documents.find import PassageHit
from kinema.searching.hits import Found
from kinema.searching.pairs.find import PairHit, shown
from kinema.searching.tracklets.find import TrackletHit


def render_html(found: Found[Any]) -> str:
    """The HTML page of a search, by ``hits.html.jinja``; all text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    passages = bool(found.hits) and isinstance(found.hits[0], PassageHit)
    tracklets = bool(found.hits) and isinstance(found.hits[0], TrackletHit)
    pairs = bool(found.hits) and isinstance(found.hits[0], PairHit)
    name = found.query if passages or tracklets or pairs else found.query.replace("\\", "/").rpartition("/")[2]
    return environment.get_template("hits.html.jinja").render(
        found=found,
        name=name,
        passages=passages,
        tracklets=tracklets,
        pairs=pairs,
        pictures=[shown(hit, found.root) for hit in found.hits] if pairs else [],
    )


def write_html(found: Found[Any], path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(path, render_html(found))
