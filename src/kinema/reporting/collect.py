"""Reads run folders into a report: nothing is judged here, and nothing is left out silently."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.results import Result
from kinema.core.version import RELEASE
from kinema.reporting.budget import epochs_of, phases_of
from kinema.reporting.headline import headline
from kinema.reporting.keep import advice
from kinema.reporting.report import Figure, Neighbour, PhaseRecord, Placed, Query, Report, Row, RunRecord, blocks
from kinema.reporting.seeds import grouped
from kinema.reporting.wording import VIEWS, encoder_order, natural, protocol_order, view_name
from kinema.training.run_folder import RunFolder

CURVES: tuple[str, ...] = ("loss", "effective_rank", "clips_per_second", "data_wait", "mining_precision", "mining_r@1")
CURVES += ("class_mining_recall_median", "class_mining_recall_mean", "class_mining_recall_std")


def collect(runs: Sequence[RunFolder], *, title: str | None = None) -> Report:
    """Everything that the runs tell about themselves.

    Args:
        runs: the runs, the one in question first.
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
    records = tuple(_run(run, name) for run, name in zip(runs, names, strict=True))
    rows: list[Row] = []
    for run, record in zip(runs, records, strict=True):
        rows += _rows(run.results(), record)
    ordered = tuple(row for block in _in_order(rows) for row in _order(block))
    groups = grouped(records, ordered)
    return Report(
        title=title or ("Report on " + (names[0] if len(names) == 1 else f"{len(names)} runs")),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=RELEASE,
        headline=headline(records, ordered, groups),
        runs=records,
        rows=ordered,
        groups=groups,
        advice=advice(records, ordered, groups),
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


def _run(run: RunFolder, name: str) -> RunRecord:
    return RunRecord(
        name=name,
        path=str(run.path),
        recipe=finite(run.read("recipe.json")),
        environment=finite(run.read("environment.json")),
        status=finite(run.read("status.json")),
        phases=tuple(_phase(run, folder) for folder in run.phases()),
    )


def _phase(run: RunFolder, folder: Path) -> PhaseRecord:
    told = finite(run.read(str((folder / "phase.json").relative_to(run.path))))
    name = told.get("name") or folder.name.partition("-")[2] or folder.name
    phases: list[dict[str, Any]] = run.read("recipe.json").get("phases") or []
    planned = next((phase for phase in phases if phase.get("name") == name), {})
    method = planned.get("method") or {}
    epochs = [finite(row) for row in run.metrics(folder) if row.get("event") == "epoch"]
    curve = tuple({"epoch": row["epoch"] + 1, **{key: row[key] for key in CURVES if key in row}} for row in epochs)
    return PhaseRecord(
        name=name,
        method=str(told.get("method") or method.get("name", "")),
        view=str(told.get("view") or method.get("view", "")),
        guide=told.get("guide") or method.get("guide"),
        epochs=int(told.get("epochs") or planned.get("epochs") or 0),
        state=str(told.get("state") or "unfinished"),
        seconds=told.get("seconds"),
        clips=told.get("clips"),
        epochs_done=len(epochs),
        curve=curve,
    )


def _rows(results: Iterable[Result], run: RunRecord) -> list[Row]:
    """One row for each encoder, view and setting; its selections of queries together."""
    rows: dict[tuple[Any, ...], Row] = {}
    for result in results:
        epochs = epochs_of(Path(run.path), run.recipe, result.encoder, result.view)
        details = finite(dict(result.details))
        row = Row(
            protocol=result.protocol,
            preset=result.preset,
            windows=_windows(details),
            digest=result.digest or result.data,
            encoder=result.encoder,
            variant=_variant(result.encoder, run.recipe, epochs),
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
    told = [str(details["windows"])] if details.get("windows") else []
    if details.get("crops"):
        told.append(f"classifier trained for {details.get('epochs')} epochs, tested on {details['crops']} crop")
        told[-1] += "s" * (details["crops"] == "ten")
        told += [f"changed: {details['fit']}"] if details.get("fit") else []
    return "; ".join(told)


def _selection(details: dict[str, Any]) -> str:
    """Who asked and, where it was chosen, against whom: figures against another gallery are other figures."""
    against = details.get("against")
    return str(details.get("selection") or "") + (f", against {against}" if against else "")


def _right(kept: Any, queries: int) -> tuple[str, ...]:
    """The answers, where they are whole."""
    told = tuple(str(each) for each in kept) if isinstance(kept, list) else ()
    return told if all(len(each) == queries and set(each) <= {"0", "1"} for each in told) else ()


def _layout(kept: dict[str, Any]) -> tuple[Placed, ...]:
    return tuple(
        Placed(x, y, str(path), label)
        for (x, y), path, label in zip(
            kept.get("places") or (), kept.get("paths") or (), kept.get("labels") or (), strict=True
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


def _variant(encoder: str, recipe: dict[str, Any], epochs: int | None) -> str:
    """What tells this encoder from another one of its name."""
    mined = [phase["method"] for phase in phases_of(recipe) if "stages" in phase["method"]]
    told = []
    if encoder not in ("random", "infonce") and mined:
        stages = len(mined[0].get("sizes") or ()) or mined[0]["stages"]
        told += [] if encoder == "coclr" else [f"{stages} stage" + ("" if stages == 1 else "s")]
        told += [f"guided by {view_name(mined[0]['guide'])}"] if mined[0].get("guide") else []
    told += [f"{epochs} epoch" + ("" if epochs == 1 else "s")] if epochs else []
    return ", ".join(told)


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


def _in_order(rows: list[Row]) -> list[tuple[Row, ...]]:
    return sorted(blocks(_merge_equal(rows)), key=lambda block: protocol_order(block[0].protocol, block[0].preset))


def _order(block: tuple[Row, ...]) -> list[Row]:
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
    return sorted(ordered, key=lambda row: (views.index(row.view), encoder_order(row.encoder), row.seed))
