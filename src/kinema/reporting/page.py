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
from kinema.reporting.wording import HOW_COMPARED


def page(report: Report) -> str:
    """The report as one HTML document that asks for nothing from outside."""
    parts = {
        name: package_files(__package__).joinpath(f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")
    }
    digest = base64.b64encode(hashlib.sha256(parts["js"].encode()).digest()).decode()
    sections = (
        which_to_keep,
        what_was_run,
        results,
        label_curves,
        curves,
        by_class,
        confusion,
        gallery,
        projection,
        details,
    )
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
    answer = report.headline
    mark = {"helped": "✓ ", "hurt": "✗ ", "unclear": "≈ "}.get(answer.verdict, "")
    verdict = tag(
        "p", tag("span", mark, aria_hidden="true"), answer.short, class_=f"verdict {answer.verdict.replace(' ', '-')}"
    )
    basis = tag("p", answer.basis, class_="caption") if answer.basis else Markup("")
    notes = tag("ul", [tag("li", note) for note in answer.notes], class_="notes") if answer.notes else Markup("")
    advice = tag("p", tag("strong", report.advice.sentence), class_="lead") if report.advice.sentence else Markup("")
    return tag(
        "header", tag("h1", report.title), verdict, tag("p", answer.sentence, class_="lead"), advice, basis, notes
    )


def which_to_keep(report: Report) -> Markup:
    """The section of advice: what each protocol says, and what to do next."""
    advice = report.advice
    if not advice.lines and not advice.steps:
        return Markup("")
    items = [
        tag("li", tag("strong", head), f": {line}") for head, _, line in (line.partition(": ") for line in advice.lines)
    ]
    lines = [tag("p", HOW_COMPARED), tag("ul", items, class_="advice")]
    steps = [tag("h3", "Next"), tag("ul", [_step(step) for step in advice.steps], class_="advice")]
    return tag(
        "section",
        tag("h2", "Which one should I keep?"),
        lines if advice.lines else None,
        steps if advice.steps else None,
    )


def _step(step: str) -> Markup:
    """What to do, its command set apart."""
    what, command, line = step.partition(": kinema ")
    return tag("li", f"{what}: ", tag("code", f"kinema {line}")) if command else tag("li", step)
