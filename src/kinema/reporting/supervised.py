"""The supervised reference at equal labels: the same training on the same labels, from random weights on.

Under a protocol that trains the whole encoder, an untrained one is that reference. A run that learnt from labels is one
too where it had just as many of them as the classifier.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from kinema.core.protocol import Protocol
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.estimates import Difference, Estimate
from kinema.reporting.pooled import Group, main_selection
from kinema.reporting.report import Row, RunRecord, blocks
from kinema.reporting.seeds import estimate_of
from kinema.reporting.wording import in_sentence, join, preset_options, view_name


def is_reference(group: Group, runs: Sequence[RunRecord], vocabulary: Vocabulary) -> bool:
    """Whether a group is the supervised reference of its table."""
    if not _trains_encoder(group, vocabulary) or vocabulary.is_candidate(group.encoder):
        return False
    learnt_from = {run.environment.get("videos") for run in runs if run.name in group.runs}
    return vocabulary.is_untrained(group.encoder) or learnt_from == {group.main.labelled}


def reference_of(
    block: Sequence[Group],
    view: str,
    selection: str,
    runs: Sequence[RunRecord],
    rows: Sequence[Row],
    vocabulary: Vocabulary,
) -> Estimate | None:
    """The strongest supervised reference of a table in one view; None where there is none."""
    groups = [group for group in block if group.view == view and is_reference(group, runs, vocabulary)]
    known = [estimate_of(group, rows, selection, vocabulary) for group in groups]
    return max((each for each in known if each is not None), key=lambda each: each.score, default=None)


def over_reference(
    group: Group,
    block: Sequence[Group],
    selection: str,
    runs: Sequence[RunRecord],
    rows: Sequence[Row],
    vocabulary: Vocabulary,
) -> Difference | None:
    """How far a fine-tuned encoder is ahead of the reference of its table; None where that cannot be said."""
    if not _trains_encoder(group, vocabulary) or not vocabulary.is_candidate(group.encoder):
        return None
    own = estimate_of(group, rows, selection, vocabulary)
    other = reference_of(block, group.view, selection, runs, rows, vocabulary)
    return None if own is None or other is None else own.minus(other)


def missing_reference(
    runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group], vocabulary: Vocabulary
) -> str:
    """In one line, how to measure the reference where it is missing; empty where it is not, or there are no labels."""
    candidates = [group for group in groups if vocabulary.is_candidate(group.encoder)]
    trained = [group for group in candidates if _trains_encoder(group, vocabulary)]
    by_block = {block[0].settings: block for block in blocks(groups)}
    bare = [
        group
        for group in trained
        if reference_of(block := by_block[group.settings], group.view, main_selection(block), runs, rows, vocabulary)
        is None
    ]
    if bare:
        first, protocol = bare[0], vocabulary.protocol(bare[0].protocol)
        setting = (first.protocol, first.digest, first.windows, first.view)
        same = [group for group in bare if (group.protocol, group.digest, group.windows, group.view) == setting]
        shares = list(dict.fromkeys(group.preset for group in same))
        blocks_of_it = [by_block[group.settings] for group in same]
        views = len({group.view for block in blocks_of_it for group in block}) > 1
        there = any(
            is_reference(each, runs, vocabulary) and each.view == first.view for b in blocks_of_it for each in b
        )
        lacks = "has no figure to compare" if there else "was not measured"
        scratch = protocol.from_scratch + (f" on {view_name(first.view)}" if views else "")
        what = f"{scratch} {lacks} beside {in_sentence(protocol.title)} with {join(shares)}"
        return f"{what} of the labels: {_command(protocol, runs, rows, first, shares, untrained=True)}"
    if trained:
        return ""
    labelled = [group for group in candidates if _judged_by_labels(vocabulary.protocol(group.protocol))]
    if not labelled:
        return ""
    modality = vocabulary.protocol(labelled[0].protocol).modality
    protocols = [each for each in vocabulary.protocols.values() if each.from_scratch and each.modality == modality]
    if not protocols:
        return ""
    what = "What the same labels are worth without pretraining was not measured; fine-tune, once more with --untrained "
    return f"{what}for the supervised reference: {_command(protocols[0], runs, rows, labelled[0], [])}"


def _trains_encoder(group: Group, vocabulary: Vocabulary) -> bool:
    return bool(vocabulary.protocol(group.protocol).from_scratch)


def _judged_by_labels(protocol: Protocol[Any]) -> bool:
    return protocol.judged and "labels" in protocol.needs


def _command(
    protocol: Protocol[Any],
    runs: Sequence[RunRecord],
    rows: Sequence[Row],
    group: Group,
    presets: Sequence[str],
    untrained: bool = False,
) -> str:
    run = next(run for run in runs if run.name == group.runs[0])
    line = ["kinema", "evaluate", protocol.name, run.path, group.main.data]
    line += ["--untrained"] if untrained else []
    line += ["--view", group.view] if group.view != run.recipe.get("view") else []
    if presets:
        shares = [option for preset in presets for option in preset_options(preset) if option != "--shares"]
        line += ["--shares", *shares]
        epochs = rows[group.rows[0]].main.fit_epochs
        line += ["--fit.epochs", str(epochs)] if epochs else []
    return shlex.join(line)
