"""A report as strict JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from kinema.core import files
from kinema.core.errors import RunError
from kinema.core.reading import problems_of, read_object, strict_hooks
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.places import without_places
from kinema.reporting.report import Report

_ANEW = "Make it anew with 'kinema report RUN'."


def _converter() -> cattrs.Converter:
    """JSON values of a report and back, the vocabulary left out."""
    converter, left_out = cattrs.Converter(), override(omit=True)
    strict_hooks(converter, keep=True)
    converter.register_unstructure_hook(Report, make_dict_unstructure_fn(Report, converter, vocabulary=left_out))
    converter.register_structure_hook(Report, make_dict_structure_fn(Report, converter, vocabulary=left_out))
    return converter


def to_plain(report: Report) -> Mapping[str, Any]:
    """The report as JSON values."""
    plain: dict[str, Any] = _converter().unstructure(report)
    return plain


def write_json(report: Report, path: Path) -> None:
    """Writes the report as strict JSON, atomically, without saying where its folders lie.

    Raises:
        StorageError: the place cannot be written.
    """
    text = json.dumps(to_plain(without_places(report)), indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(path, text + "\n")


def read_json(path: Path, vocabulary: Vocabulary) -> Report:
    """Reads what :func:`write_json` wrote.

    Raises:
        RunError: the file is missing or is not a report.
    """
    value = read_object(path, hint=_ANEW)
    try:
        report = _converter().structure(value, Report)
    except Exception as error:  # cattrs wraps what a constructor raises, and constructors may raise anything
        raise RunError(f"'{path}' cannot be read as a report: {problems_of(error)[0]}.", _ANEW) from error
    return replace(report, vocabulary=vocabulary)
