"""The header of a model card in YAML, as model hubs read it (the Hub's "Model card metadata").

It says no more than the run can prove: figures are those of this encoder that the run keeps, and the licence is the one
that was stated. Where none was, the header asks for it, for a hub takes a card without one to be nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from kinema.exporting.settings import NOT_STATED

_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "cc0-1.0"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
}
"""Licences that hubs know by an identifier of their own; any other is 'other', with its name beside it."""

_FILL_IN = "# license: fill this in before you publish the model; nobody stated one when it was exported\n"


def header(
    library: str, task: str, tags: Sequence[str], licence: str, name: str, own: Sequence[Mapping[str, Any]]
) -> str:
    """The header, between its two lines of dashes.

    Args:
        library: that loads the model.
        task: of the hubs' list, for instance 'feature-extraction'.
        tags: to be found by.
        licence: of the weights, in the words of who exported them.
        name: of the model.
        own: what the run measured of this encoder itself, rows of ``origin["evaluations"]``.
    """
    facts: dict[str, Any] = {"library_name": library, "pipeline_tag": task, "tags": list(dict.fromkeys(tags))}
    if licence != NOT_STATED:
        facts |= _licence(licence)
    if own:
        facts["model-index"] = [{"name": name, "results": [_result(row) for row in own]}]
    written = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{written}{_FILL_IN if licence == NOT_STATED else ''}---\n"


def _licence(licence: str) -> dict[str, str]:
    known = re.sub(r"[\s_]+", "-", licence.strip().rstrip(".").lower())
    known = {"cc0": "cc0-1.0"}.get(known, known)
    return {"license": known} if known in _LICENCES else {"license": "other", "license_name": licence}


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of figures in the hubs' form."""
    measured = " ".join(str(part) for part in (row["protocol"], row["preset"], row.get("selection", "")) if part)
    return {
        "task": {"type": str(row["protocol"]), "name": measured},
        "dataset": {"type": str(row["data"]), "name": str(row["data"])},
        "metrics": [
            {"type": str(name), "name": str(name), "value": round(float(value), 4)}
            for name, value in row["metrics"].items()
        ],
    }
