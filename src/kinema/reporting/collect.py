"""Reads run folders into a report: nothing is judged here, and nothing is left out silently."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.plurals import counted
from kinema.core.results import Result
from kinema.core.version import RELEASE
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.advice import advice
from kinema.reporting.budget import epochs_of, own_phase
from kinema.reporting.headline import headline
from kinema.reporting.paired import differences
from kinema.reporting.report import Figure, Neighbour, PhaseRecord, Placed, Query, Report, Row, RunRecord, blocks
from kinema.reporting.run_files import OpenRun, RunFiles
from kinema.reporting.seeds import grouped
from kinema.reporting.wording import VIEWS, natural, view_name

CURVES = ("loss", "effective_rank", "clips_per_second", "data_wait", "device_busy")
"""What every training writes, epoch by epoch."""


def collect(runs: Sequence[RunFiles], vocabulary: Vocabulary, open_run: OpenRun, *, title: str | None = None) -> Report:
    """Everything that the runs' folders hold, compared and put in order.

    Args:
        runs: the runs, the one in question first.
        vocabulary: what encoders and protocols are.
        open_run: opens the other runs that a run started from.
        title: the page's title; by default made from the runs' names.

    Raises:
        UsageError: there is no run.
        RunError: a file of a run is damaged.
    """
    if not runs:
        raise UsageError(
            "A report needs at least one run; none was given.", "Name a folder that 'kinema pretrain' wrote."
        )
    runs = list({run.path.resolve(): run for run in runs}.values())
    names = _distinct_names([run.path.resolve() for run in runs])
    records = tuple(_run(run, name, vocabulary) for run, name in zip(runs, names, strict=True))
    rows: list[Row] = []
    for run, record in zip(runs, records, strict=True):
        rows += _rows(run.results(), record, vocabulary, open_run)
    ordered = tuple(row for block in _in_order(rows, vocabulary) for row in _order(block, vocabulary))
    groups = grouped(records, ordered, vocabulary)
    return Report(
        title=title or ("Report on " + (names[0] if len(names) == 1 else f"{len(names)} runs")),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=RELEASE,
        headline=headline(records, ordered, groups, vocabulary),
        runs=records,
        rows=ordered,
        groups=groups,
        advice=advice(records, ordered, groups, vocabulary),
        differences=differences(ordered, groups, vocabulary),
        vocabulary=vocabulary,
    )


def finite(value: Any) -> Any:
    """JSON values with every number that is not finite, however deep, as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _distinct_names(paths: list[Path]) -> list[str]:
    """Each path's last parts, as many as tell the paths apart."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(paths):
            return names
    return [str(path) for path in paths]


def _run(run: RunFiles, name: str, vocabulary: Vocabulary) -> RunRecord:
    return RunRecord(
        name=name,
        path=str(run.path),
        recipe=finite(run.read("recipe.json")),
        environment=finite(run.read("environment.json")),
        status=finite(run.status()),
        phases=tuple(_phase(run, folder, vocabulary) for folder in run.phases()),
    )


def _phase(run: RunFiles, folder: Path, vocabulary: Vocabulary) -> PhaseRecord:
    record = finite(run.read(str((folder / "phase.json").relative_to(run.path))))
    name = record.get("name") or folder.name.partition("-")[2] or folder.name
    phases: list[dict[str, Any]] = run.read("recipe.json").get("phases") or []
    planned = next((phase for phase in phases if phase.get("name") == name), {})
    method = planned.get("method") or {}
    epochs = [finite(row) for row in run.metrics(folder) if row.get("event") == "epoch"]
    keys = (*CURVES, *(metric for each in vocabulary.protocols.values() if each.tracked for metric in each.metrics))
    curve = tuple({"epoch": row["epoch"] + 1, **{key: row[key] for key in keys if key in row}} for row in epochs)
    return PhaseRecord(
        name=name,
        method=str(record.get("method") or method.get("name", "")),
        view=str(record.get("view") or method.get("view", "")),
        guide=record.get("guide") or method.get("guide"),
        epochs=int(record.get("epochs") or planned.get("epochs") or 0),
        state=str(record.get("state") or "unfinished"),
        seconds=record.get("seconds"),
        clips=record.get("clips"),
        epochs_done=len(epochs),
        curve=curve,
    )


def _rows(results: Iterable[Result], run: RunRecord, vocabulary: Vocabulary, open_run: OpenRun) -> list[Row]:
    """One row for each encoder, view and setting, with all its selections of queries."""
    rows: dict[tuple[Any, ...], Row] = {}
    for result in results:
        epochs = epochs_of(
            Path(run.path), run.recipe, result.encoder, result.view, vocabulary=vocabulary, open_run=open_run
        )
        details = finite(dict(result.details))
        row = Row(
            protocol=result.protocol,
            preset=result.preset,
            windows=_windows(details),
            digest=result.digest or result.data,
            encoder=result.encoder,
            variant=_variant(result.encoder, run.recipe, epochs, vocabulary),
            view=result.view,
            runs=(run.name,),
            seed=result.seed,
            commit=result.commit,
            epochs=epochs,
            figures=(_figure(result, details),),
        )
        key = (row.settings, row.encoder, row.view, row.seed, row.commit)
        rows[key] = replace(rows[key], figures=(*rows[key].figures, *row.figures)) if key in rows else row
    return list(rows.values())


def _figure(result: Result, details: dict[str, Any]) -> Figure:
    interval = details.get("interval")
    whole = isinstance(interval, list) and len(interval) == 2 and None not in interval
    per_class = details.get("per_class") or {}
    return Figure(
        selection=_selection(details),
        data=result.data,
        queries=result.queries,
        gallery=result.gallery,
        metrics=finite(dict(result.metrics)),
        interval=(interval[0], interval[1]) if whole and interval else None,
        chance=details.get("chance"),
        per_class={
            name: value.get("precision") if isinstance(value, dict) else value for name, value in per_class.items()
        },
        seconds=result.seconds,
        neighbours=_neighbours(details),
        labelled=details.get("labelled"),
        confusion=details.get("confusion") or {},
        layout=_layout(details.get("layout") or {}),
        layout_method=str((details.get("layout") or {}).get("method") or ""),
        asked=str(details.get("asked") or ""),
        right=_right(details.get("right"), result.queries),
        fit_epochs=details.get("epochs") if details.get("crops") else None,
    )


def _windows(details: dict[str, Any]) -> str:
    """How an embedding was made and, where a classifier was trained on clips, for how long and how it was tested."""
    parts = [str(details["windows"])] if details.get("windows") else []
    if details.get("crops"):
        parts.append(
            f"classifier trained for {counted(details.get('epochs') or 0, 'epochs')}, tested on {details['crops']} crop"
        )
        parts[-1] += "s" * (details["crops"] == "ten")
        parts += [f"changed: {details['fit']}"] if details.get("fit") else []
    return "; ".join(parts)


def _selection(details: dict[str, Any]) -> str:
    """The queries and, where it was chosen, the gallery: figures against another gallery are other figures."""
    against = details.get("against")
    return str(details.get("selection") or "") + (f", against {against}" if against else "")


def _right(stored: Any, queries: int) -> tuple[str, ...]:
    """The answers, where they are whole."""
    answers = tuple(str(each) for each in stored) if isinstance(stored, list) else ()
    return answers if all(len(each) == queries and set(each) <= {"0", "1"} for each in answers) else ()


def _layout(stored: dict[str, Any]) -> tuple[Placed, ...]:
    return tuple(
        Placed(x, y, str(path), label)
        for (x, y), path, label in zip(
            stored.get("places") or (), stored.get("paths") or (), stored.get("labels") or (), strict=True
        )
    )


def _neighbours(details: dict[str, Any]) -> tuple[Query, ...]:
    return tuple(
        Query(
            str(each["query"]),
            each.get("label"),
            tuple(Neighbour(str(h["path"]), h.get("label"), h.get("score"), h.get("same")) for h in each["hits"]),
        )
        for each in details.get("neighbours") or ()
    )


def _variant(encoder: str, recipe: dict[str, Any], epochs: int | None, vocabulary: Vocabulary) -> str:
    """What tells this encoder from another one of its name."""
    phase = own_phase(recipe, encoder, vocabulary)
    names = vocabulary.encoder(encoder).settings
    settings = [_setting(name, phase["method"]) for name in names if name in phase["method"]] if phase else []
    budget = [counted(epochs, "epochs")] if epochs else []
    return ", ".join([*filter(None, settings), *budget])


def _setting(name: str, method: dict[str, Any]) -> str:
    """A setting of a method in a few words; empty where it is not set."""
    value = method[name]
    if name == "stages":
        return counted(len(method.get("sizes") or ()) or value, "stages")
    if name == "guide":
        return f"guided by {view_name(value)}" if value else ""
    return "" if value is None else f"{name} {value}"


def _merge_equal(rows: list[Row]) -> tuple[Row, ...]:
    """Rows that several runs measured alike, figure by figure and seed by seed, become one that names all the runs."""
    merged: dict[str, Row] = {}
    for row in rows:
        plain = replace(row, runs=(), figures=tuple(_figures_alone(f) for f in row.figures))
        key = repr(plain)
        merged[key] = replace(merged[key], runs=(*merged[key].runs, *row.runs)) if key in merged else row
    return tuple(merged.values())


def _figures_alone(figure: Figure) -> Figure:
    return replace(figure, seconds=0.0, neighbours=(), layout=())


def _in_order(rows: list[Row], vocabulary: Vocabulary) -> list[tuple[Row, ...]]:
    """The tables, as the vocabulary lists their protocols, then by preset."""
    return sorted(
        blocks(_merge_equal(rows)),
        key=lambda block: (vocabulary.protocol_place(block[0].protocol), natural(block[0].preset)),
    )


def _order(block: tuple[Row, ...], vocabulary: Vocabulary) -> list[Row]:
    """The rows from untrained to trained, each with its main selection first.

    The main selection is the one that most rows were measured on; of several, the one with most queries; of several,
    the first by name.
    """
    seen: dict[str, list[int]] = {}
    for row in block:
        for figure in row.figures:
            seen.setdefault(figure.selection, []).append(figure.queries)
    rank = sorted(seen, key=lambda name: (-len(seen[name]), -max(seen[name]), natural(name)))
    ordered = [replace(row, figures=tuple(sorted(row.figures, key=lambda f: rank.index(f.selection)))) for row in block]
    views = [*VIEWS, *sorted({row.view for row in block} - set(VIEWS))]
    return sorted(ordered, key=lambda row: (views.index(row.view), vocabulary.encoder_place(row.encoder), row.seed))
