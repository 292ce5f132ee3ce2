"""The page: one file with everything in it, for a person who knows nothing of the code.

What it says is HTML in ``templates/``, by Jinja2 with every text escaped; the modules beside this one compute what the
templates are filled with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kinema.core.files import write_text
from kinema.core.plurals import counted
from kinema.reporting import charts, wording
from kinema.reporting.classes import by_class
from kinema.reporting.confusion import confusions
from kinema.reporting.curves import curves
from kinema.reporting.details import details
from kinema.reporting.gallery import gallery
from kinema.reporting.labels import label_curves
from kinema.reporting.paired import paired
from kinema.reporting.places import without_places
from kinema.reporting.projection import projection
from kinema.reporting.report import Report
from kinema.reporting.runs import what_was_run
from kinema.reporting.tables import results


def page(report: Report) -> str:
    """The report as one HTML document that asks for nothing from outside and says nothing of where its folders lie."""
    report = without_places(report)
    style, script = (
        package_files("kinema.reporting").joinpath("templates", name).read_text("utf-8")
        for name in ("page.css", "page.js")
    )
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            runs=what_was_run(report),
            results=results(report),
            differences=paired(report),
            labels=label_curves(report),
            curves=curves(report),
            classes=by_class(report),
            confusions=confusions(report),
            gallery=gallery(report),
            projection=projection(report),
            details=details(report),
        )
    )


def write_page(report: Report, path: Path) -> None:
    """Writes the page, atomically.

    Raises:
        StorageError: the place cannot be written.
    """
    write_text(path, page(report))


@cache
def _environment() -> Environment:
    """The templates, and what they may call."""
    environment = Environment(
        loader=PackageLoader("kinema.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "commit": wording.commit_of,
        "counted": counted,
        "duration": wording.duration,
        "evaluate_command": wording.evaluate_command,
        "indented": _indented,
        "number": wording.number,
        "percent": wording.percent,
        "place": _place,
        "protocol_heading": wording.protocol_heading,
        "view_name": wording.view_name,
    }
    environment.globals |= {"canvas": charts, "dash": wording.DASH, "how_compared": wording.HOW_COMPARED}
    return environment


def _indented(value: Any) -> str:
    """A recipe or an environment as JSON, a line a setting."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _place(value: float) -> str:
    """A place in a drawing, to two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
