"""The answer in one honest sentence, computed from the figures: did it help?

What is compared, and when a difference counts, is the matter of :mod:`kinema.reporting.estimates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinema.core.plurals import counted
from kinema.core.protocol import Metric, Protocol
from kinema.core.vocabulary import EncoderEntry, Vocabulary
from kinema.reporting.budget import trained_in
from kinema.reporting.estimates import FEWEST, Difference, Estimate
from kinema.reporting.pooled import Group, main_selection
from kinema.reporting.ranking import headings, names_of
from kinema.reporting.report import Headline, Row, RunRecord, blocks, leading_protocol
from kinema.reporting.seeds import compared, estimate_of
from kinema.reporting.wording import (
    DASH,
    LEVEL,
    difference_bounds,
    duration,
    evaluate_command,
    in_sentence,
    join,
    lead_over,
    metric_value,
    of_one_seed,
    protocol_short,
    side,
    source,
    view_name,
)


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
    unfinished += tuple(
        f"{words.metric.title} of {vocabulary.title(row.encoder)} ({row.runs[0]}) is not a number and does not count."
        for row in rows
        if row.protocol == protocol.name and row.main.metrics.get(protocol.main) is None
    )
    tables = [
        each for block in blocks(groups) if block[0].protocol == protocol.name and (each := _table(block, rows, words))
    ]
    if not tables:
        if any(row.protocol == protocol.name for row in rows):
            why = f"By {in_sentence(protocol.title)}, no encoder has a figure of every seed that is a number"
            sentence = f"{why}, so this page cannot say whether it helped."
            return Headline("not evaluated", "No figure that counts", sentence, notes=unfinished)
        return _unmeasured(runs, unfinished, protocol, vocabulary, _findings(groups, vocabulary))
    table = max(tables, key=lambda table: (len({group.encoder for group in table.groups}), table.queries))
    view = _view(runs, table.groups)
    seen = [group for group in table.groups if group.view == view]
    found = compared(runs, rows, seen, table.selection, vocabulary)
    return _judge(found, table, seen, unfinished, words, headings(blocks(groups), vocabulary))


@dataclass(frozen=True)
class _Table:
    """The groups of one table that have a main figure on its main selection of queries, and these figures."""

    groups: tuple[Group, ...]
    estimates: tuple[Estimate, ...]
    selection: str
    several_selections: bool

    @property
    def queries(self) -> int:
        return max(figure.queries for group in self.groups if (figure := group.at(self.selection)))


def _table(block: Sequence[Group], rows: Sequence[Row], words: _Words) -> _Table | None:
    selection = main_selection(block)
    known = [
        (group, mean) for group in block if (mean := estimate_of(group, rows, selection, words.vocabulary)) is not None
    ]
    if not known:
        return None
    several = len({figure.selection for group in block for figure in group.figures}) > 1
    return _Table(tuple(group for group, _ in known), tuple(mean for _, mean in known), selection, several)


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

    def lead(self, lead: float, other: str) -> str:
        return lead_over(self.metric, lead, other)

    def bounds(self, difference: Difference) -> str:
        return difference_bounds(self.metric, *difference.lead_bounds)


def _basis(table: _Table, seen: Sequence[Group], words: _Words) -> str:
    """What the sentence rests on."""
    group = seen[0]
    figure = group.at(table.selection) or group.main
    numbers = sorted({seed for each in seen for seed in each.seeds})
    seeds = ("seed " if len(numbers) == 1 else "seeds ") + ", ".join(map(str, numbers))
    together = words.protocol.models == "every view"
    of = view_name(group.view) if together else f"{view_name(group.view)} encoders"
    queries = counted(figure.queries, "videos" if together else "queries")
    queries += f" ({figure.selection})" if figure.selection else ""
    against = f" against {figure.gallery:,}" if figure.gallery else ""
    whence = source(version for each in seen for version in each.commits)
    return (
        f"{words.metric.title} of {of}, {group.protocol} with preset {group.preset or DASH}, "
        f"on {figure.data}: {queries}{against}; {seeds}{whence and '; '}{whence}."
    )


def _view(runs: Sequence[RunRecord], groups: Sequence[Group]) -> str:
    """The view that the first run is for, if it was measured; otherwise the one with most encoders."""
    views = {group.view for group in groups}
    wanted = runs[0].recipe.get("view")
    if wanted in views:
        return str(wanted)
    return max(sorted(views), key=lambda view: len({group.encoder for group in groups if group.view == view}))


def _judge(
    found: dict[str, tuple[Group, Estimate]],
    table: _Table,
    seen: Sequence[Group],
    unfinished: tuple[str, ...],
    words: _Words,
    named: dict[tuple[str, str, str, str], str],
) -> Headline:
    vocabulary = words.vocabulary
    known = {encoder: mean for encoder, (_, mean) in found.items()}
    methods = [each for encoder, each in known.items() if vocabulary.is_method(encoder)]
    baselines = [each for encoder, each in known.items() if vocabulary.is_baseline(encoder)]
    baselines.sort(key=lambda each: vocabulary.encoder_place(each.encoder))
    baseline = max(baselines, key=lambda each: each.score) if baselines else None
    untrained = next((each for encoder, each in known.items() if vocabulary.is_untrained(encoder)), None)
    candidate = max(methods, key=lambda each: vocabulary.encoder(each.encoder).priority) if methods else baseline
    if candidate is baseline:
        baseline = None
    against = baseline or untrained
    if candidate is None:
        candidate, against = next(iter(known.values())), None
    own = found[candidate.encoder][0]
    figure = own.at(table.selection) or own.main
    others = [each for each in (baseline, untrained) if each is not None and each is not candidate]
    floors = {
        name: value
        for metric, name in words.protocol.floors.items()
        if (value := figure.metrics.get(metric)) is not None
    }
    figures = _figures(candidate, others, figure.chance, floors, words)
    difference = candidate.minus(against) if against else None
    verdict, short, judgement = _verdict(candidate, against, difference, words)
    if against is None and floors:
        verdict, short, judgement = _above_floors(candidate, floors, words)
    others_too = sum(group.encoder == candidate.encoder for group in seen) > 1
    also = f"{words.title(candidate)} was also run with other settings, see the table; the verdict is on the run that "
    shown = [own, *([found[against.encoder][0]] if against else [])]
    floor = _above_floors(candidate, floors, words) if against is not None and floors else None
    notes = [
        *unfinished,
        *([floor[2]] if floor and floor[0] == "hurt" else []),
        *([f"{also}was named first."] if others_too and vocabulary.is_method(candidate.encoder) else []),
        *_notes(candidate, against, untrained, known, difference, words),
        *_best(table, shown, named[own.settings], words),
    ]
    return Headline(
        verdict=verdict,
        short=short,
        sentence=f"{figures} {judgement}",
        basis=_basis(table, seen, words),
        notes=tuple(notes),
        candidate=candidate.encoder,
        baseline=against.encoder if against else "",
        view=own.view,
        settings=own.settings,
        lead=candidate.lead_over(against) if against else None,
        lead_interval=difference.lead_bounds if difference else (),
    )


def _above_floors(candidate: Estimate, floors: Mapping[str, float], words: _Words) -> tuple[str, str, str]:
    """The verdict where all that was measured beside it are floors."""
    sign = 1 if candidate.higher_is_better else -1
    name, (best, value) = words.title(candidate), max(floors.items(), key=lambda each: sign * each[1])
    lead = candidate.score - sign * value
    bound = candidate.low if candidate.higher_is_better else candidate.high
    if lead > LEVEL:
        ahead = f"It is {words.lead(lead, best)}, the best of the floors beside it"
        if bound is not None and sign * (bound - value) <= 0:
            why = f"{ahead}, which lies within its 95 % interval: that is no more than other queries would change."
            return "no baseline", f"{name} is level with {best}", why
        without = "" if bound is not None else " There is no 95 % interval, so luck cannot be told from a difference."
        why = f"{ahead}; whether it is ahead of an untrained network was not measured.{without}"
        return "no baseline", f"{name} is ahead of {best}", why
    why = f"It is not ahead of {best}, which is a floor: by this figure, the training gained nothing."
    return "hurt", f"{name} is not ahead of {best}", why


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
    d = candidate.lead_over(against)
    lead, level = f"It is {words.lead(d, other)}", abs(d) <= LEVEL
    if difference is None:
        short = "Not decided" if d > LEVEL else f"{name} did not help"
        return "unclear", short, f"{lead}; without a 95\u00a0% interval of both, luck cannot be told from a difference."
    how = f", {difference.how}" if difference.paired or difference.seeds else ""
    interval = f"(95\u00a0% interval of the lead{how}: {words.bounds(difference)})"
    usual = words.vocabulary.usual_baseline(words.protocol.modality)
    if untrained and usual and not words.vocabulary.is_baseline(candidate.encoder):
        interval += f". {usual}, the usual baseline, was not measured"
    if difference.better:
        short = f"{name} beats an untrained network" if untrained else f"{name} helped{_once(candidate, against)}"
        return "helped", short, f"{lead}, and the difference is larger than the uncertainty {interval}."
    if difference.worse:
        return "hurt", f"{name} did not help", f"{lead}, and the difference is larger than the uncertainty {interval}."
    short = f"{name} did not measurably help" if level or d > 0 else f"{name} did not help"
    if difference.apart is not None and difference.apart < FEWEST:
        interval += f"; they answer {counted(difference.apart, 'queries')} differently, too few"
    return (
        "unclear",
        short,
        f"{lead}{'' if level else ', but the difference is not larger than the uncertainty'} {interval}.",
    )


def _once(candidate: Estimate, against: Estimate) -> str:
    """Says in the verdict that it rests on one seed."""
    if candidate.runs == 1:
        return ", with one seed"
    return ", against one seed" if against.runs == 1 else ""


def _notes(
    candidate: Estimate,
    against: Estimate | None,
    untrained: Estimate | None,
    found: dict[str, Estimate],
    difference: Difference | None,
    words: _Words,
) -> list[str]:
    """What one must know beside the verdict."""
    notes = []
    if untrained is not None and untrained is not against and untrained is not candidate:
        above = candidate.minus(untrained)
        if above is not None and not above.better:
            notes.append("It is not ahead of an untrained network by more than the uncertainty.")
    notes += _contrast(candidate, found, words)
    if against is not None and against.epochs and candidate.epochs and against.epochs != candidate.epochs:
        notes.append(
            f"The budgets differ: {words.title(candidate)} trained for {counted(candidate.epochs, 'epochs')}, "
            f"{words.title(against)} for {against.epochs}."
        )
    trained = [each for each in (candidate, against) if each and not words.vocabulary.is_untrained(each.encoder)]
    once = [words.title(each) for each in trained if each.runs == 1]
    if once:
        notes.append(of_one_seed(once))
    seeds = difference.seeds if difference is not None else ()
    if against is not None and seeds:
        both = f"{words.title(candidate)} and {words.other(against)}"
        which = "of those seeds that both have" if difference is not None and difference.some else "of each seed"
        notes.append(
            f"{both} are compared seed by seed ({', '.join(map(str, seeds))}): the lead is the mean of the differences "
            f"{which}, and their spread counts."
        )
    notes += [
        f"{words.title(each)} is the mean of {each.runs} seeds, and their spread counts."
        for each in trained
        if each.runs > 1 and not seeds
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
    begins = contrast.sentence.format(words.value(simpler.value))
    return [f"{begins} {side(words.metric, difference.lead)}, {more} the uncertainty ({words.bounds(difference)})."]


def _best(table: _Table, shown: Sequence[Group], heading: str, words: _Words) -> list[str]:
    """Says so when another encoder of the table, whatever its view and its settings, does better than those compared.

    Encoders that learnt from labels count only where the one that is judged learnt from them too.
    """
    vocabulary = words.vocabulary
    labels = vocabulary.learns_from_labels(shown[0].encoder)
    known = {
        group.identity: mean
        for group, mean in zip(table.groups, table.estimates, strict=True)
        if labels or not vocabulary.learns_from_labels(group.encoder)
    }
    most = max(mean.score for mean in known.values())
    best = next(name for name, mean in known.items() if mean.score == most)
    if any(group.identity in known and known[group.identity].score >= most - LEVEL for group in shown):
        return []
    end = "highest" if known[best].higher_is_better else "lowest"
    where = f" ({table.selection or 'all queries'})" if table.several_selections else ""
    free = "" if labels else " that needed no labels"
    name = names_of(list(known), table.groups, vocabulary, words.protocol.name)[best]
    return [f"The {end} {words.metric.name} by {heading}{where}{free} is {words.value(known[best].value)}: {name}."]


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
