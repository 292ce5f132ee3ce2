"""The answer in one honest sentence, computed from the figures: did it help?

What is compared, and when a difference counts, is told in :mod:`kinema.reporting.estimates`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.reporting.estimates import FEWEST, Difference, Estimate
from kinema.reporting.pooled import Group
from kinema.reporting.report import Headline, Row, RunRecord, blocks
from kinema.reporting.seeds import estimates
from kinema.reporting.wording import (
    BASELINES,
    DASH,
    REFERENCES,
    duration,
    encoder_name,
    evaluate_command,
    join,
    percent,
    points,
    signed_points,
    view_name,
)


def headline(runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group]) -> Headline:
    """The answer that the figures give.

    Args:
        runs: the runs, the one in question first.
        rows: what was measured in them, each row's main selection first.
        groups: the same by recipe.
    """
    unfinished = tuple(_state(run) for run in runs if run.state != "done")
    retrieval = [row for row in rows if row.protocol == "retrieval"]
    known = tuple(row for row in retrieval if row.main.metrics.get("r@1") is not None)
    unfinished += tuple(
        f"R@1 of {encoder_name(row.encoder)} ({row.runs[0]}) is not a number and does not count."
        for row in retrieval
        if row not in known
    )
    measured = blocks(known)
    if not measured:
        return _unmeasured(runs, unfinished)
    block = max(measured, key=lambda block: len({row.encoder for row in block}))
    main = max((row.main.selection for row in block), key=[row.main.selection for row in block].count)
    block = tuple(row for row in block if row.main.selection == main)
    view = _view(runs, block)
    alike = [group for group in groups if group.settings == block[0].settings and group.view == view]
    found = estimates(runs, rows, alike, main)
    return _judge(found, block, view, unfinished)


def _basis(rows: Sequence[Row]) -> str:
    """What the sentence rests on."""
    row = rows[0]
    figure = row.main
    numbers = sorted({row.seed for row in rows})
    seeds = ("seed " if len(numbers) == 1 else "seeds ") + ", ".join(map(str, numbers))
    commits = ", ".join(sorted({row.commit for row in rows}))
    queries = f"{figure.queries:,} queries" + (f" ({figure.selection})" if figure.selection else "")
    return (
        f"R@1 of {view_name(row.view)} encoders, {row.protocol} with preset {row.preset or DASH}, on {figure.data}: "
        f"{queries} against {figure.gallery:,}; {seeds}; commit {commits}."
    )


def _view(runs: Sequence[RunRecord], block: Sequence[Row]) -> str:
    """The view that the first run is for, if it was measured; otherwise the one with most encoders."""
    views = {row.view for row in block}
    wanted = runs[0].recipe.get("view")
    if wanted in views:
        return str(wanted)
    return max(sorted(views), key=lambda view: len({row.encoder for row in block if row.view == view}))


def _judge(found: dict[str, Estimate], block: Sequence[Row], view: str, unfinished: tuple[str, ...]) -> Headline:
    methods = [encoder for encoder in found if encoder not in REFERENCES]
    baselines = [found[name] for name in BASELINES if name in found]
    baseline = max(baselines, key=lambda each: each.value) if baselines else None
    untrained = found.get("random")
    candidate = found[next((name for name in ("cpr", "coclr") if name in methods), methods[0])] if methods else baseline
    if candidate is baseline:
        baseline = None
    against = baseline or untrained
    chance = next((row.main.chance for row in block if row.main.chance is not None), None)
    if candidate is None:
        candidate, against = next(iter(found.values())), None
    others = [each for each in (baseline, untrained) if each is not None and each is not candidate]
    figures = _figures(candidate, others, chance)
    difference = candidate.minus(against) if against else None
    verdict, short, judgement = _verdict(candidate, against, difference)
    others_too = sum(row.view == view and row.encoder == candidate.encoder for row in block) > candidate.runs
    named = encoder_name(candidate.encoder)
    also = [f"{named} was also run with other settings, see the table; the verdict is on the run that was named first."]
    notes = [
        *unfinished,
        *(also if others_too and candidate.encoder not in REFERENCES else []),
        *_notes(candidate, against, untrained, found),
        *_best(candidate, against, found),
    ]
    return Headline(
        verdict=verdict,
        short=short,
        sentence=f"{figures} {judgement}",
        basis=_basis([row for row in block if row.view == view]),
        notes=tuple(notes),
        candidate=candidate.encoder,
        baseline=against.encoder if against else "",
        view=view,
        settings=block[0].settings,
    )


def _figures(candidate: Estimate, others: Sequence[Estimate], chance: float | None) -> str:
    values = [candidate.value, *(each.value for each in others), *([] if chance is None else [chance])]
    close = any(abs(a - b) < 0.015 for n, a in enumerate(values) for b in values[:n])
    decimals = 1 if close or min(values) < 0.015 else 0
    share = percent(candidate.value, decimals)
    told = [f"{_subject(candidate)} finds a clip of the same class first for {share} of the queries"]
    told += [f"{_subject(each).replace('An ', 'an ')} {percent(each.value, decimals)}" for each in others]
    told += [] if chance is None else [f"chance {percent(chance, decimals)}"]
    return "; ".join(told) + "."


def _subject(each: Estimate) -> str:
    return "An untrained network" if each.encoder == "random" else encoder_name(each.encoder)


def _verdict(
    candidate: Estimate,
    against: Estimate | None,
    difference: Difference | None,
) -> tuple[str, str, str]:
    """The verdict, in a few words, and as a sentence."""
    name = encoder_name(candidate.encoder)
    if against is None:
        why = "Neither a baseline nor an untrained network was measured beside it: whether it helped cannot be said."
        return "no baseline", "Nothing to compare with", why
    other = _subject(against).replace("An ", "an ")
    d = candidate.value - against.value
    lead = f"It is {points(d, 1)} {'ahead of' if d > 0 else 'behind'} {other}" if d else f"It is level with {other}"
    if difference is None:
        short = "Not decided" if d > 0 else f"{name} did not help"
        return "unclear", short, f"{lead}; without a 95\u00a0% interval of both, luck cannot be told from a difference."
    how = ", by the same queries" if difference.paired else ""
    told = f"(95\u00a0% interval of the difference{how}: {signed_points(difference.low, difference.high)})"
    if against.encoder == "random" and candidate.encoder not in BASELINES:
        told += ". InfoNCE, the usual baseline, was not measured"
    if difference.larger and difference.value > 0:
        once = ", with one seed" if candidate.runs == against.runs == 1 else ""
        short = f"{name} beats an untrained network" if against.encoder == "random" else f"{name} helped{once}"
        return "helped", short, f"{lead}, and the difference is larger than the uncertainty {told}."
    if difference.larger:
        return "hurt", f"{name} did not help", f"{lead}, and the difference is larger than the uncertainty {told}."
    short = f"{name} did not measurably help" if d > 0 else f"{name} did not help"
    if difference.apart is not None and difference.apart < FEWEST:
        told += f"; they answer {difference.apart} quer{'y' if difference.apart == 1 else 'ies'} differently, too few"
    return "unclear", short, f"{lead}, but the difference is not larger than the uncertainty {told}."


def _notes(
    candidate: Estimate, against: Estimate | None, untrained: Estimate | None, found: dict[str, Estimate]
) -> list[str]:
    """What one must know beside the verdict."""
    notes = []
    if untrained is not None and untrained is not against and untrained is not candidate:
        difference = candidate.minus(untrained)
        if difference is not None and not (difference.larger and difference.value > 0):
            notes.append("Nor is it better than an untrained network by more than the uncertainty.")
    if candidate.encoder == "cpr" and "coclr" in found:
        difference = candidate.minus(found["coclr"])
        if difference is not None:
            larger = "more than" if difference.larger else "not more than"
            d = difference.value
            notes.append(
                f"Against one stage of mining (CoCLR, {percent(found['coclr'].value)}), the cascade is "
                f"{points(d, 1)} {'ahead' if d >= 0 else 'behind'}, {larger} the uncertainty "
                f"({signed_points(difference.low, difference.high)})."
            )
    if against is not None and against.epochs and candidate.epochs and against.epochs != candidate.epochs:
        notes.append(
            f"The budgets differ: {encoder_name(candidate.encoder)} trained for {candidate.epochs} epochs, "
            f"{encoder_name(against.encoder)} for {against.epochs}."
        )
    trained = [each for each in (candidate, against) if each is not None and each.encoder != "random"]
    once = [encoder_name(each.encoder) for each in trained if each.runs == 1]
    if once:
        notes.append(
            f"{join(once)} {'was' if len(once) == 1 else 'were'} trained once: the intervals tell what other queries "
            "would change, not what another seed would."
        )
    notes += [
        f"{encoder_name(each.encoder)} is the mean of {each.runs} seeds, and their spread counts."
        for each in trained
        if each.runs > 1
    ]
    return notes


def _best(candidate: Estimate, against: Estimate | None, found: dict[str, Estimate]) -> list[str]:
    """Says so when another method on the page does better than the one that is judged."""
    better = [e for e in found.values() if e.value > candidate.value and e is not against and e.encoder != "supervised"]
    if not better:
        return []
    best = max(better, key=lambda each: each.value)
    return [
        f"The highest R@1 on this page that needed no labels is {percent(best.value)}: {encoder_name(best.encoder)}."
    ]


def _unmeasured(runs: Sequence[RunRecord], unfinished: tuple[str, ...]) -> Headline:
    losses = [
        (phase.name, [row["loss"] for row in phase.curve if row.get("loss") is not None]) for phase in runs[0].phases
    ]
    told = [f"{name} from {values[0]:.2f} to {values[-1]:.2f}" for name, values in losses if len(values) > 1]
    fell = f" The loss went, by phase: {join(told)}." if told else ""
    if runs[0].unlabelled:
        ranks = [row["effective_rank"] for phase in runs[0].phases for row in phase.curve if row.get("effective_rank")]
        rank = f" The effective rank of the projections ended at {ranks[-1]:.1f}." if ranks else ""
        sentence = (
            "The videos carry no labels, so no retrieval accuracy can be computed, and a falling loss alone does "
        )
        sentence += f"not show that the encoder is useful.{fell}{rank}"
        return Headline("unlabelled", "Whether it helped is not known", sentence, notes=unfinished)
    command = evaluate_command(runs[0].path, runs[0].environment.get("data"))
    sentence = f"No retrieval was measured, so this page cannot say whether it helped.{fell}"
    notes = (*unfinished, f"To measure it on videos with labels: {command}")
    return Headline("not evaluated", "Not evaluated yet", sentence, notes=notes)


def _state(run: RunRecord) -> str:
    """Where a run that is not done stands."""
    phase = f" in phase {run.status['phase']}" if run.status.get("phase") else ""
    after = f" after {duration(run.status['seconds'])}" if run.status.get("seconds") else ""
    error = f": {run.status['error']}" if run.status.get("error") else ""
    told = {"failed": "failed", "interrupted": "was interrupted", "running": "is still running, or was killed"}
    state = told.get(run.state, f"has the state {DASH if run.state == 'unknown' else run.state}")
    return f"The run {run.name} {state}{phase}{after}{error.rstrip('.')}. Its figures are not those of a finished run."
