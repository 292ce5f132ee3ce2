"""Reports as the Python face makes them, with all methods and protocols that there are."""

from __future__ import annotations

from kinema import reporting
from kinema.api.reports import vocabulary
from kinema.training.run_folder import RunFolder

VOCABULARY = vocabulary()


def collect(runs, **options):
    return reporting.collect(runs, VOCABULARY, RunFolder.open, **options)


def read_json(path):
    return reporting.read_json(path, VOCABULARY)
