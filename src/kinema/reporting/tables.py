"""The measured figures as tables. Rows that were measured under other settings stand in other tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kinema.reporting.charts import interval_bar
from kinema.reporting.markup import Markup, join, tag
from kinema.reporting.report import Figure, Report, Row, blocks
from kinema.reporting.wording import (
    DASH,
    encoder_name,
    evaluate_command,
    metric_name,
    metric_value,
    natural,
    protocol_heading,
    view_name,
)

EXPLAINED = (
    "Every query is a video. The encoder ranks the gallery’s videos by how similar it finds them to the query. "
    "R@k is the share of queries with at least one of the same class among the k nearest. "
    "The bar shows R@1, the whisker its 95 % interval (bootstrap over the queries), the dotted line chance."
)
ABOUT_MINING = (
    "While it trains, the method chooses other clips as further positives, without labels. Precision is the share of "
    "those that are of the clip’s own class, mining R@1 that of the first choice, class recall how much of a class is "
    "found."
)
ABOUT = {
    "mining": ABOUT_MINING,
    "knn": "The nearest training videos vote for a test video’s class. Accuracy is the share of test videos whose "
    "class wins.",
    "linear": "A linear classifier is trained on the encoder’s features, which stay as they are; labels are used for "
    "it and for nothing else. Accuracy is the share of test videos whose class it names.",
    "few-label": "The same linear classifier, trained on few labels: the mean over several draws of them.",
    "cross-modal": "Every video asks in one view and is sought among all videos in the other. R@k is the share that is "
    "among the first k.",
}
"""What a protocol other than retrieval measures, for a reader."""
LEADING = ("r@1", "accuracy")
"""Metrics whose uncertainty is drawn."""
Column = tuple[str, Callable[[Row], Markup]]


def results(report: Report) -> Markup:
    """The section of tables: retrieval first, then every other protocol, a table for each of its settings."""
    heading = tag("h2", "Does it find the same class?")
    tables = [_table(block, report.headline.candidate) for block in blocks(report.rows)]
    if any(row.protocol == "retrieval" for row in report.rows):
        return tag("section", heading, tag("p", EXPLAINED), tables)
    run = report.runs[0]
    told, data = "Retrieval was not measured yet. Run:", run.environment.get("data")
    if run.unlabelled:
        told, data = "These videos carry no labels. R@k needs a labelled set; with one, run:", "LABELLED"
    command = tag("pre", tag("code", evaluate_command(run.path, data)), tabindex=0)
    return tag("section", heading, tag("p", told), command, tables)


def _table(block: Sequence[Row], candidate: str) -> Markup:
    columns = _columns(block)
    head = tag("tr", [tag("th", name, scope="col") for name, _ in columns])
    body = [
        tag("tr", [tell(row) for _, tell in columns], class_="chosen" if row.encoder == candidate else None)
        for row in block
    ]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="results")
    label = f"Results of {block[0].protocol} {block[0].preset}"
    scroll = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)
    about = tag("p", ABOUT[block[0].protocol]) if block[0].protocol in ABOUT else Markup("")
    return join(
        [
            tag("h3", protocol_heading(block[0].protocol, block[0].preset)),
            about,
            scroll,
            tag("p", _caption(block), class_="caption"),
        ]
    )


def _columns(block: Sequence[Row]) -> list[Column]:
    """Who; the main selection's metrics; the first metric of every further selection; where rows differ, whence."""
    main = _main(block)
    metrics = sorted({name for row in block for f in row.figures for name in f.metrics}, key=_metric_order) or ["r@1"]
    first = metrics[0]
    others = list(dict.fromkeys(f.selection for row in block for f in row.figures if f.selection != main))
    columns: list[Column] = [("Encoder", _encoder)]
    if len({row.view for row in block}) > 1:
        columns.append(("View", lambda row: tag("td", view_name(row.view))))
    columns.append((metric_name(first), lambda row: _value(row, main, first, "number main")))
    if first in LEADING and any(f.interval for row in block if (f := row.at(main))):
        highest = [f.interval[1] if f.interval else f.metrics.get(first) or 0 for r in block if (f := r.at(main))]
        top = min(1.0, max([0.1, *highest]))
        columns.append(("95 % interval", lambda row: _interval(row.at(main), first, top)))
    columns += [_column(metric_name(name), main, name) for name in metrics[1:]]
    columns += [_column(f"{metric_name(first)}, {_selection(name)}", name, first) for name in others]
    if len({row.seed for row in block}) > 1:
        columns.append(("Seed", lambda row: tag("td", str(row.seed), class_="number")))
    if len({row.commit for row in block}) > 1:
        columns.append(("Commit", lambda row: tag("td", tag("code", row.commit))))
    if len({row.runs for row in block}) > 1:
        columns.append(("Run", lambda row: tag("td", ", ".join(row.runs), class_="long small")))
    return columns


def _column(head: str, selection: str, metric: str) -> Column:
    return head, lambda row: _value(row, selection, metric)


def _main(block: Sequence[Row]) -> str:
    """The selection that most rows have first."""
    selections = [row.main.selection for row in block]
    return max(selections, key=selections.count)


def _metric_order(name: str) -> tuple[int, list[tuple[int, int | str]]]:
    first = ("mining_precision", "mining_r@1", "class_mining_recall_median", "class_mining_recall_mean")
    return (first.index(name) if name in first else len(first) + name.endswith("_rank"), natural(name))


def _caption(block: Sequence[Row]) -> str:
    """What the table's figures were measured on, as far as all rows agree; columns tell the rest."""
    row, main = block[0], _main(block)
    told = "; ".join(dict.fromkeys(f"{f.data}: {_counts(f)}" for r in block if (f := r.at(main))))
    settings = [f"Protocol {row.protocol}", f"preset {row.preset or DASH}"]
    settings += [row.windows] if row.windows else []
    settings += [view_name(row.view)] if len({r.view for r in block}) == 1 else []
    settings += [f"seed {row.seed}"] if len({r.seed for r in block}) == 1 else []
    settings += [f"commit {row.commit}"] if len({r.commit for r in block}) == 1 else []
    queries = f" Queries: {_selection(main)}, where the column does not name others." if main else ""
    return f"{told}.{queries} {', '.join(settings)}; manifest {row.digest[:12]}."


def _counts(figure: Figure) -> str:
    return f"{figure.queries:,} queries against {figure.gallery:,}" if figure.gallery else f"{figure.queries:,} queries"


def _selection(name: str) -> str:
    key, equals, value = name.partition("=")
    return f"{value} {key}" if equals and "=" not in value and "," not in value else name or "all queries"


def _encoder(row: Row) -> Markup:
    name = tag("span", encoder_name(row.encoder))
    return tag("th", name, tag("small", row.variant) if row.variant else None, scope="row")


def _value(row: Row, selection: str, metric: str, kind: str = "number") -> Markup:
    """One figure; what it was measured on is told on hover."""
    figure = row.at(selection)
    if figure is None:
        return tag("td", DASH, class_=kind)
    whence = f"{row.protocol}, preset {row.preset or DASH}, {figure.data}, {figure.selection or 'all queries'}, "
    whence += f"seed {row.seed}, commit {row.commit}, {_counts(figure)}"
    return tag("td", metric_value(metric, figure.metrics.get(metric)), class_=kind, title=whence)


def _interval(figure: Figure | None, metric: str, top: float) -> Markup:
    value = None if figure is None else figure.metrics.get(metric)
    if figure is None or value is None:
        return tag("td", DASH)
    low_high = figure.interval
    bounds = f"{100 * low_high[0]:.1f}–{100 * low_high[1]:.1f} %" if low_high else "no interval"
    return tag("td", interval_bar(value, low_high, figure.chance, top), tag("small", bounds), class_="bars")
