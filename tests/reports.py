"""Reports as the Python face makes them, with all methods and protocols that there are."""

from __future__ import annotations

import re

from kinema import reporting
from kinema.api.reports import vocabulary
from kinema.training.run_folder import RunFolder

VOCABULARY = vocabulary()


def collect(runs, **options):
    return reporting.collect(runs, VOCABULARY, RunFolder.open, **options)


def section(report, heading):
    """One section of the page as HTML, by its heading; empty where the page has none of it."""
    start = rf"<section[^>]*>\s*<h2>{re.escape(heading)}</h2>"
    found = re.search(rf"{start}.*?</section>", reporting.page(report), re.DOTALL)
    return found.group() if found else ""


def read_json(path):
    return reporting.read_json(path, VOCABULARY)
