"""Known sets of questions by name, as they lie on disk: NAME:PATH."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kinema.core.errors import DataError, UsageError
from kinema.data.questions.drafts import Draft
from kinema.data.questions.dramaqa import dramaqa
from kinema.data.questions.nextqa import nextqa
from kinema.data.questions.pororoqa import pororoqa
from kinema.data.questions.tvqa import tvqa, tvqa_plus

LAYOUTS: Mapping[str, Callable[[Path], Draft]] = {
    "pororoqa": pororoqa,
    "nextqa": nextqa,
    "tvqa": tvqa,
    "tvqa+": tvqa_plus,
    "dramaqa": dramaqa,
}
"""The known data sets by the names that a user gives."""


def read_layout(name: str, path: str | Path) -> Draft:
    """The questions of a known data set, with the lines that the set itself holds.

    Args:
        name: of :data:`LAYOUTS`.
        path: its folder.

    Raises:
        UsageError: there is no data set of that name.
        DataError: the folder holds no such data set; the message says what was expected.
    """
    if name not in LAYOUTS:
        raise UsageError(
            f"There is no layout '{name}' of questions.", f"The known data sets are: {', '.join(LAYOUTS)}."
        )
    root = Path(path).resolve()
    if not root.is_dir():
        raise DataError(f"'{path}' is no folder.", f"Write {name}:PATH with the folder of the set.")
    draft = LAYOUTS[name](root)
    draft.finish()
    return draft
