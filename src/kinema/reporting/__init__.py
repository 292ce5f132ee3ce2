"""From run folders to one honest page, the same as JSON, and a table for the terminal."""

from kinema.reporting.as_json import read_json, write_json
from kinema.reporting.collect import collect
from kinema.reporting.markdown import markdown, write_markdown
from kinema.reporting.page import page, write_page
from kinema.reporting.report import Report
from kinema.reporting.strips import with_strips
from kinema.reporting.terminal import differences, recipes, rows, table, words

__all__ = [
    "Report",
    "collect",
    "differences",
    "markdown",
    "page",
    "read_json",
    "recipes",
    "rows",
    "table",
    "with_strips",
    "words",
    "write_json",
    "write_markdown",
    "write_page",
]
