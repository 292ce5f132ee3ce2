"""Hits as one HTML page, with the pictures of videos or the passages of documents; it asks for nothing from outside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kinema.core.files import write_text
from kinema.reporting.markup import Markup, tag
from kinema.searching.documents.find import PassageHit
from kinema.searching.find import Found, Hit

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; padding: 0; }
li { list-style: none; }
figure { margin: 0; }
h1 { font-size: 1.4rem; font-weight: 400; line-height: 1.3; overflow-wrap: anywhere; }
h1 em { font-style: normal; font-weight: 600; }
img { width: 100%; border-radius: .3rem; }
figcaption, .note { font-size: .875rem; overflow-wrap: anywhere; }
ol.passages { display: block; }
blockquote { margin: 0 0 1.5rem; white-space: pre-line; overflow-wrap: anywhere; }
"""


def sheet(found: Found[Any]) -> str:
    """A search of videos or of documents as an HTML document; every text of it is escaped."""
    how = "every one compared" if found.exact else "by the index, which may miss some"
    told = f"{len(found.hits)} finds among {found.rows} rows, {how}, in {found.seconds:.2f} s."
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        Markup('<meta name="viewport" content="width=device-width">'),
        tag("title", f"kinema: {found.query}"),
        tag("style", Markup(_STYLE)),
    )
    texts = bool(found.hits) and isinstance(found.hits[0], PassageHit)
    items = [tag("li", _passage(hit) if texts else _hit(hit, number)) for number, hit in enumerate(found.hits, 1)]
    notes = [tag("p", note, class_="note") for note in found.notes]
    query = found.query if texts else found.query.replace("\\", "/").rpartition("/")[2]
    head_line = tag("h1", "Like ", tag("em", query))
    listed = tag("ol", items, class_="passages") if texts else tag("ol", items)
    repeated = None if texts else tag("p", found.query, class_="note")
    body = tag("body", head_line, repeated, tag("p", told), notes, listed)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def write_sheet(found: Found[Any], path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, sheet(found))


def _hit(hit: Hit, number: int) -> Markup:
    when = f"{hit.start:.2f} to {hit.end:.2f} s"
    source = "data:image/jpeg;base64," + base64.b64encode(hit.thumbnail).decode()
    picture = tag("img", src=source, alt=f"Find {number}: {hit.video}, {when}", loading="lazy")
    about = [tag("div", each) for each in (hit.label, hit.cluster_name) if each is not None]
    caption = tag("figcaption", tag("strong", f"{hit.score:.3f}"), f" {hit.video}", tag("div", when), about)
    return tag("figure", picture, caption)


def _passage(hit: PassageHit) -> list[Markup]:
    about = [each for each in (hit.label, hit.cluster_name) if each is not None]
    where = f" {', '.join([hit.document, *about])}, characters {hit.start} to {hit.end}"
    return [tag("div", tag("strong", f"{hit.score:.3f}"), where, class_="note"), tag("blockquote", hit.passage)]
