"""The page: one file with everything in it, for a person who knows nothing of the code."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files as package_files
from pathlib import Path
from string import Template

from kinema.core.files import write_text
from kinema.reporting.classes import by_class
from kinema.reporting.confusion import confusion
from kinema.reporting.curves import curves
from kinema.reporting.details import details
from kinema.reporting.gallery import gallery
from kinema.reporting.labels import label_curves
from kinema.reporting.markup import Markup, safe, tag
from kinema.reporting.projection import projection
from kinema.reporting.report import Report
from kinema.reporting.runs import what_was_run
from kinema.reporting.tables import results


def page(report: Report) -> str:
    """The report as one HTML document that asks for nothing from outside."""
    parts = {
        name: package_files(__package__).joinpath(f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")
    }
    digest = base64.b64encode(hashlib.sha256(parts["js"].encode()).digest()).decode()
    sections = (what_was_run, results, label_curves, curves, by_class, confusion, gallery, projection, details)
    return Template(parts["html"]).substitute(
        title=safe(report.title),
        style=parts["css"],
        script=parts["js"],
        digest=digest,
        head=_head(report),
        body=Markup("\n".join(section(report) for section in sections)),
        foot=safe(f"Made by kinema {report.version} on {report.made.replace('T', ' ').replace('+00:00', ' UTC')}."),
    )


def write_page(report: Report, path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, page(report))


def _head(report: Report) -> Markup:
    told = report.headline
    mark = {"helped": "✓ ", "hurt": "✗ ", "unclear": "≈ "}.get(told.verdict, "")
    verdict = tag(
        "p", tag("span", mark, aria_hidden="true"), told.short, class_=f"verdict {told.verdict.replace(' ', '-')}"
    )
    basis = tag("p", told.basis, class_="caption") if told.basis else Markup("")
    notes = tag("ul", [tag("li", note) for note in told.notes], class_="notes") if told.notes else Markup("")
    return tag("header", tag("h1", report.title), verdict, tag("p", told.sentence, class_="lead"), basis, notes)
