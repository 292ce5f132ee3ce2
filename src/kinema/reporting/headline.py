"""The answer in one honest sentence, computed from the figures: did it help?

What is compared, and when a difference counts, is the matter of :mod:`kinema.reporting.estimates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinema.core.protocol import Metric, Protocol
from kinema.core.vocabulary import EncoderEntry, Vocabulary
from kinema.reporting.budget import trained_in
from kinema.reporting.estimates import FEWEST, Difference, Estimate
from kinema.reporting.pooled import Group
from kinema.reporting.report import Headline, Row, RunRecord, blocks, leading_protocol
from kinema.reporting.seeds import estimates
from kinema.reporting.wording import (
    DASH,
    difference_bounds,
    duration,
    evaluate_command,
    in_sentence,
    join,
    metric_value,
    protocol_short,
    view_name,
)
from kinema.reporting.wording import difference as difference_text


def headline(
    runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group], vocabulary: Vocabulary
) -> Headline:
    """The answer that the figures give.

    Args:
        runs: the runs, the one in question first.
        rows: what was measured in them, each row's main selection first.
        groups: the same by recipe.
        vocabulary: what encoders and protocols are.
    """
    unfinished = tuple(_state(run) for run in runs if run.state != "done")
    protocol = leading_protocol(runs, rows, vocabulary)
    if protocol is None:
        return Headline("not evaluated", "Not evaluated yet", "No protocol that compares encoders is known.")
    words = _Words(protocol, vocabulary.metric(protocol.main, protocol.name), vocabulary)
    measured = [row for row in rows if row.protocol == protocol.name]
    known = tuple(row for row in measured if row.main.metrics.get(protocol.main) is not None)
    unfinished += tuple(
        f"{words.metric.title} of {vocabulary.title(row.encoder)} ({row.runs[0]}) is not a number and does not count."
        for row in measured
        if row not in known
    )
    tables = blocks(known)
    if not tables:
        return _unmeasured(runs, unfinished, protocol, vocabulary, _findings(groups, vocabulary))
    block = max(tables, key=lambda block: (len({row.encoder for row in block}), block[0].main.queries))
    main = max((row.main.selection for row in block), key=[row.main.selection for row in block].count)
    block = tuple(row for row in block if row.main.selection == main)
    view = _view(runs, block)
    compared = [group for group in groups if group.settings == block[0].settings and group.view == view]
    found = estimates(runs, rows, compared, main, vocabulary)
    return _judge(found, block, view, unfinished, words)


@dataclass(frozen=True)
class _Words:
    """What the sentence is written with: the protocol, its main figure, and what encoders are called."""

    protocol: Protocol[Any]
    metric: Metric
    vocabulary: Vocabulary

    def title(self, each: Estimate) -> str:
        return self.vocabulary.title(each.encoder)

    def subject(self, each: Estimate) -> str:
        """The encoder at the beginning of a sentence."""
        return "An untrained network" if self.vocabulary.is_untrained(each.encoder) else self.title(each)

    def other(self, each: Estimate) -> str:
        """The encoder within a sentence."""
        return "an untrained network" if self.vocabulary.is_untrained(each.encoder) else self.title(each)

    def value(self, value: float, decimals: int = 1) -> str:
        return metric_value(self.metric, value, decimals)

    def difference(self, value: float) -> str:
        return difference_text(self.metric, value)

    def bounds(self, difference: Difference) -> str:
        return difference_bounds(self.metric, difference.low, difference.high)


def _basis(rows: Sequence[Row], words: _Words) -> str:
    """What the sentence rests on."""
    row = rows[0]
    figure = row.main
    numbers = sorted({row.seed for row in rows})
    seeds = ("seed " if len(numbers) == 1 else "seeds ") + ", ".join(map(str, numbers))
    commits = ", ".join(sorted({row.commit for row in rows}))
    together = words.protocol.models == "every view"
    of = view_name(row.view) if together else f"{view_name(row.view)} encoders"
    noun = "videos" if together else "queries"
    queries = f"{figure.queries:,} {noun}" + (f" ({figure.selection})" if figure.selection else "")
    against = f" against {figure.gallery:,}" if figure.gallery else ""
    return (
        f"{words.metric.title} of {of}, {row.protocol} with preset {row.preset or DASH}, "
        f"on {figure.data}: {queries}{against}; {seeds}; commit {commits}."
    )


def _view(runs: Sequence[RunRecord], block: Sequence[Row]) -> str:
    """The view that the first run is for, if it was measured; otherwise the one with most encoders."""
    views = {row.view for row in block}
    wanted = runs[0].recipe.get("view")
    if wanted in views:
        return str(wanted)
    return max(sorted(views), key=lambda view: len({row.encoder for row in block if row.view == view}))


def _judge(
    found: dict[str, Estimate], block: Sequence[Row], view: str, unfinished: tuple[str, ...], words: _Words
) -> Headline:
    vocabulary = words.vocabulary
    methods = [each for encoder, each in found.items() if vocabulary.is_method(encoder)]
    baselines = [each for encoder, each in found.items() if vocabulary.is_baseline(encoder)]
    baselines.sort(key=lambda each: vocabulary.encoder_place(each.encoder))
    baseline = max(baselines, key=lambda each: each.score) if baselines else None
    untrained = next((each for encoder, each in found.items() if vocabulary.is_untrained(encoder)), None)
    candidate = max(methods, key=lambda each: vocabulary.encoder(each.encoder).priority) if methods else baseline
    if candidate is baseline:
        baseline = None
    against = baseline or untrained
    chance = next((row.main.chance for row in block if row.main.chance is not None), None)
    if candidate is None:
        candidate, against = next(iter(found.values())), None
    others = [each for each in (baseline, untrained) if each is not None and each is not candidate]
    own = next(row for row in block if row.encoder == candidate.encoder and row.view == view)
    floors = {
        name: value
        for metric, name in words.protocol.floors.items()
        if (value := own.main.metrics.get(metric)) is not None
    }
    figures = _figures(candidate, others, chance, floors, words)
    difference = candidate.minus(against) if against else None
    verdict, short, judgement = _verdict(candidate, against, difference, words)
    if against is None and floors:
        verdict, short, judgement = _above_floors(candidate, floors, words)
    others_too = sum(row.view == view and row.encoder == candidate.encoder for row in block) > candidate.runs
    also = f"{words.title(candidate)} was also run with other settings, see the table; the verdict is on the run that "
    notes = [
        *unfinished,
        *([f"{also}was named first."] if others_too and vocabulary.is_method(candidate.encoder) else []),
        *_notes(candidate, against, untrained, found, words),
        *_best(candidate, against, found, words),
    ]
    return Headline(
        verdict=verdict,
        short=short,
        sentence=f"{figures} {judgement}",
        basis=_basis([row for row in block if row.view == view], words),
        notes=tuple(notes),
        candidate=candidate.encoder,
        baseline=against.encoder if against else "",
        view=view,
        settings=block[0].settings,
    )


def _above_floors(candidate: Estimate, floors: Mapping[str, float], words: _Words) -> tuple[str, str, str]:
    """The verdict where all that was measured beside it are floors."""
    name, (best, value) = words.title(candidate), max(floors.items(), key=lambda each: each[1])
    if candidate.value > value:
        lead = f"It is {words.difference(candidate.value - value)} above {best}, the best of the floors beside it"
        if candidate.low is not None and candidate.low <= value:
            why = f"{lead}, which lies within its 95 % interval: that is no more than other queries would change."
            return "no baseline", f"{name} is level with {best}", why
        why = f"{lead}; whether it is above an untrained network was not measured."
        return "no baseline", f"{name} is above {best}", why
    why = f"It is not above {best}, which is a floor: by this figure, the training gained nothing."
    return "hurt", f"{name} is not above {best}", why


def _figures(
    candidate: Estimate,
    others: Sequence[Estimate],
    chance: float | None,
    floors: Mapping[str, float],
    words: _Words,
) -> str:
    """The figures, as exact as it takes to tell them apart."""
    values = [candidate.value, *(each.value for each in others), *([] if chance is None else [chance])]
    values += floors.values()
    close = any(abs(a - b) < 0.015 for n, a in enumerate(values) for b in values[:n])
    decimals = 1 if close or min(values) < 0.015 else 0
    parts = [f"{words.subject(candidate)} {words.protocol.finding.format(words.value(candidate.value, decimals))}"]
    parts += [f"{words.other(each)} {words.value(each.value, decimals)}" for each in others]
    parts += [] if chance is None else [f"chance {words.value(chance, decimals)}"]
    parts += [f"{name} {words.value(value, decimals)}" for name, value in floors.items()]
    return "; ".join(parts) + "."


def _verdict(
    candidate: Estimate, against: Estimate | None, difference: Difference | None, words: _Words
) -> tuple[str, str, str]:
    """The verdict, in a few words, and as a sentence."""
    name = words.title(candidate)
    if against is None:
        why = "Neither a baseline nor an untrained network was measured beside it: whether it helped cannot be said."
        return "no baseline", "Nothing to compare with", why
    other, untrained = words.other(against), words.vocabulary.is_untrained(against.encoder)
    d = candidate.score - against.score
    ahead = "ahead of" if d > 0 else "behind"
    lead = f"It is {words.difference(d)} {ahead} {other}" if d else f"It is level with {other}"
    if difference is None:
        short = "Not decided" if d > 0 else f"{name} did not help"
        return "unclear", short, f"{lead}; without a 95\u00a0% interval of both, luck cannot be told from a difference."
    how = ", by the same queries" if difference.paired else ""
    interval = f"(95\u00a0% interval of the difference{how}: {words.bounds(difference)})"
    usual = words.vocabulary.usual_baseline(words.protocol.modality)
    if untrained and usual and not words.vocabulary.is_baseline(candidate.encoder):
        interval += f". {usual}, the usual baseline, was not measured"
    if difference.better:
        once = ", with one seed" if candidate.runs == against.runs == 1 else ""
        short = f"{name} beats an untrained network" if untrained else f"{name} helped{once}"
        return "helped", short, f"{lead}, and the difference is larger than the uncertainty {interval}."
    if difference.larger:
        return "hurt", f"{name} did not help", f"{lead}, and the difference is larger than the uncertainty {interval}."
    short = f"{name} did not measurably help" if d > 0 else f"{name} did not help"
    if difference.apart is not None and difference.apart < FEWEST:
        interval += f"; they answer {difference.apart} quer{'y' if difference.apart == 1 else 'ies'} differently, "
        interval += "too few"
    return "unclear", short, f"{lead}, but the difference is not larger than the uncertainty {interval}."


def _notes(
    candidate: Estimate,
    against: Estimate | None,
    untrained: Estimate | None,
    found: dict[str, Estimate],
    words: _Words,
) -> list[str]:
    """What one must know beside the verdict."""
    notes = []
    if untrained is not None and untrained is not against and untrained is not candidate:
        difference = candidate.minus(untrained)
        if difference is not None and not difference.better:
            notes.append("Nor is it better than an untrained network by more than the uncertainty.")
    notes += _contrast(candidate, found, words)
    if against is not None and against.epochs and candidate.epochs and against.epochs != candidate.epochs:
        notes.append(
            f"The budgets differ: {words.title(candidate)} trained for {candidate.epochs} epochs, "
            f"{words.title(against)} for {against.epochs}."
        )
    trained = [each for each in (candidate, against) if each and not words.vocabulary.is_untrained(each.encoder)]
    once = [words.title(each) for each in trained if each.runs == 1]
    if once:
        notes.append(
            f"{join(once)} {'was' if len(once) == 1 else 'were'} trained once: the intervals tell what other queries "
            "would change, not what another seed would."
        )
    notes += [
        f"{words.title(each)} is the mean of {each.runs} seeds, and their spread counts."
        for each in trained
        if each.runs > 1
    ]
    return notes


def _contrast(candidate: Estimate, found: dict[str, Estimate], words: _Words) -> list[str]:
    """How far a method is ahead of a simpler form of itself, where both were measured."""
    contrast = words.vocabulary.encoder(candidate.encoder).contrast
    simpler = found.get(contrast.encoder) if contrast else None
    difference = candidate.minus(simpler) if simpler else None
    if contrast is None or simpler is None or difference is None:
        return []
    more = "more than" if difference.larger else "not more than"
    lead = f"{words.difference(difference.lead)} {'ahead' if difference.lead >= 0 else 'behind'}"
    begins = contrast.sentence.format(words.value(simpler.value))
    return [f"{begins} {lead}, {more} the uncertainty ({words.bounds(difference)})."]


def _best(candidate: Estimate, against: Estimate | None, found: dict[str, Estimate], words: _Words) -> list[str]:
    """Says so when another method on the page does better than the one that is judged."""
    better = [
        each
        for each in found.values()
        if each.score > candidate.score and each is not against and not words.vocabulary.is_labelled(each.encoder)
    ]
    if not better:
        return []
    best = max(better, key=lambda each: each.score)
    end = "highest" if best.higher_is_better else "lowest"
    figure = f"The {end} {words.metric.name} on this page that needed no labels"
    return [f"{figure} is {words.value(best.value)}: {words.title(best)}."]


def _findings(groups: Sequence[Group], vocabulary: Vocabulary) -> list[str]:
    """What the protocols found that compare encoders, a sentence a setting: of a method if there is one."""
    found = []
    for block in blocks(groups):
        protocol, known = vocabulary.protocol(block[0].protocol), dict[str, float]()
        for group in block:
            if protocol.judged and (value := group.main.metrics.get(protocol.main)) is not None:
                known.setdefault(group.encoder, value)
        if not known:
            continue
        entries = {name: vocabulary.encoder(name) for name in known}
        encoder = max(entries, key=lambda name: _precedence(entries[name]))
        figure = metric_value(vocabulary.metric(protocol.main, protocol.name), known[encoder])
        finding = f"{vocabulary.title(encoder, protocol.name)} {protocol.finding.format(figure)}"
        found.append(f"{protocol_short(protocol, block[0].preset)}: {finding}.")
    return found


def _precedence(entry: EncoderEntry) -> tuple[bool, bool, int]:
    """Sorts encoders by whether a reader wants to hear of them: methods, what else was trained, then untrained ones."""
    return entry.role == "method", entry.role != "untrained", entry.priority


def _unmeasured(
    runs: Sequence[RunRecord],
    unfinished: tuple[str, ...],
    protocol: Protocol[Any],
    vocabulary: Vocabulary,
    findings: Sequence[str],
) -> Headline:
    """The answer where the protocol was not measured: what others found, or how the loss went."""
    trained, name = trained_in(runs[0].recipe, vocabulary), in_sentence(protocol.title)
    command = evaluate_command(protocol, runs[0].path, runs[0].environment.get("data"))
    labelled = f" on {protocol.unit} with labels" if "labels" in protocol.needs else ""
    notes = (*unfinished, f"To measure it{labelled}: {command}")
    if findings:
        sentence = f"{' '.join(findings)} The verdict of this page rests on {name}, which was not measured."
        return Headline("not compared", f"Evaluated, but not by {name}", sentence, notes=notes)
    losses = [
        (phase.name, [row["loss"] for row in phase.curve if row.get("loss") is not None]) for phase in runs[0].phases
    ]
    ends = [f"{name} from {values[0]:.2f} to {values[-1]:.2f}" for name, values in losses if len(values) > 1]
    fell = f" The loss went, by phase: {join(ends)}." if ends else ""
    if runs[0].unlabelled and protocol.modality == trained.modality and "labels" in protocol.needs:
        ranks = [row["effective_rank"] for phase in runs[0].phases for row in phase.curve if row.get("effective_rank")]
        rank = f" The effective rank of the projections ended at {ranks[-1]:.1f}." if ranks else ""
        sentence = f"The {trained.unit} carry no labels, so no {name} accuracy can be computed, and a falling loss "
        sentence += f"alone does not show that the encoder is useful.{fell}{rank}"
        return Headline("unlabelled", "Whether it helped is not known", sentence, notes=unfinished)
    sentence = f"The protocol {protocol.name} was not measured, so this page cannot say whether it helped.{fell}"
    return Headline("not evaluated", "Not evaluated yet", sentence, notes=notes)


def _state(run: RunRecord) -> str:
    """Where a run that is not done stands."""
    phase = f" in phase {run.status['phase']}" if run.status.get("phase") else ""
    after = f" after {duration(run.status['seconds'])}" if run.status.get("seconds") else ""
    error = f": {run.status['error']}" if run.status.get("error") else ""
    known = {"failed": "failed", "interrupted": "was interrupted", "running": "is still running, or was killed"}
    state = known.get(run.state, f"has the state {DASH if run.state == 'unknown' else run.state}")
    return f"The run {run.name} {state}{phase}{after}{error.rstrip('.')}. Its figures are not those of a finished run."
