"""The supervised reference at equal labels: the same training on the same labels, from random weights on.

Fine-tuning an untrained encoder is that reference. A run of the method 'supervised' is one too where it was told just
as many labels as the classifier was.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kinema.reporting.estimates import Difference, Estimate
from kinema.reporting.pooled import Group
from kinema.reporting.report import Row, RunRecord, blocks
from kinema.reporting.seeds import estimate_of
from kinema.reporting.wording import JUDGED, join, preset_options

PROTOCOL = "finetune"


def is_reference(group: Group, runs: Sequence[RunRecord]) -> bool:
    """Whether a group is the supervised reference of its table."""
    if group.protocol != PROTOCOL or group.encoder not in ("random", "supervised"):
        return False
    told = [run.environment.get("videos") for run in runs if run.name in group.runs]
    return group.encoder == "random" or set(told) == {group.main.labelled}


def reference_of(
    block: Sequence[Group], view: str, selection: str, runs: Sequence[RunRecord], rows: Sequence[Row]
) -> Estimate | None:
    """The strongest supervised reference of a table in one view; None where there is none."""
    known = [estimate_of(group, rows, selection) for group in block if group.view == view and is_reference(group, runs)]
    return max((each for each in known if each is not None), key=lambda each: each.value, default=None)


def over_reference(
    group: Group, block: Sequence[Group], selection: str, runs: Sequence[RunRecord], rows: Sequence[Row]
) -> Difference | None:
    """How far a fine-tuned encoder is ahead of the reference of its table; None where that cannot be told."""
    if group.protocol != PROTOCOL or group.encoder in ("random", "supervised"):
        return None
    own, other = estimate_of(group, rows, selection), reference_of(block, group.view, selection, runs, rows)
    return None if own is None or other is None else own.minus(other)


def missing_reference(runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group]) -> str:
    """In one line, how to measure the reference where it is missing; empty where it is not, or there are no labels."""
    trained = [g for g in groups if g.protocol == PROTOCOL and g.encoder not in ("random", "supervised")]
    by_block = {block[0].settings: block for block in blocks(groups)}
    bare = [g for g in trained if reference_of(by_block[g.settings], g.view, g.main.selection, runs, rows) is None]
    if bare:
        alike = [g for g in bare if (g.digest, g.windows, g.view) == (bare[0].digest, bare[0].windows, bare[0].view)]
        shares = list(dict.fromkeys(g.preset for g in alike))
        told = f"Supervised from scratch was not measured beside fine-tuning with {join(shares)} of the labels: "
        return told + _command(runs, rows, bare[0], shares, untrained=True)
    if trained:
        return ""
    labelled = [g for g in groups if g.protocol in JUDGED and g.encoder not in ("random", "supervised")]
    if not labelled:
        return ""
    told = "What the same labels are worth without pretraining was not measured; fine-tune, once more with --untrained "
    return f"{told}for the supervised reference: {_command(runs, rows, labelled[0], [])}"


def _command(
    runs: Sequence[RunRecord], rows: Sequence[Row], group: Group, presets: Sequence[str], untrained: bool = False
) -> str:
    run = next(run for run in runs if run.name == group.runs[0])
    line = ["kinema", "evaluate", PROTOCOL, run.path, group.main.data]
    line += ["--untrained"] if untrained else []
    line += ["--view", group.view] if group.view != run.recipe.get("view") else []
    if presets:
        shares = [option for preset in presets for option in preset_options(preset) if option != "--shares"]
        line += ["--shares", *shares]
        epochs = rows[group.rows[0]].main.fit_epochs
        line += ["--fit.epochs", str(epochs)] if epochs else []
    return shlex.join(line)
