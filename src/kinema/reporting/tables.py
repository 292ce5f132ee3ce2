"""The measured figures as tables, a line a recipe. What was measured under other settings stands in other tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kinema.reporting.charts import interval_bar
from kinema.reporting.estimates import MAIN
from kinema.reporting.markup import Markup, join, tag
from kinema.reporting.pooled import Group, Pooled
from kinema.reporting.report import Report, blocks
from kinema.reporting.supervised import over_reference
from kinema.reporting.wording import (
    DASH,
    encoder_name,
    evaluate_command,
    metric_name,
    metric_value,
    metric_with_spread,
    natural,
    protocol_heading,
    signed_points,
    view_name,
)

EXPLAINED = (
    "Every query is a video. The encoder ranks the gallery’s videos by how similar it finds them to the query. "
    "R@k is the share of queries with at least one of the same class among the k nearest. "
    "The bar shows R@1, the whisker its 95 % interval (bootstrap over the queries), the dotted line chance."
)
SEEDS = (
    " Runs that differ only in their seed are one line: the mean ± the standard deviation over the seeds, a dot for "
    "each, and an interval over queries and seeds. Point at a figure for each seed’s."
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
    "finetune": "The encoder and a new classifier are trained together on so many of the labels. Supervised from "
    "scratch is the same training from random weights: the reference at equal labels.",
    "diagnostics": "Figures that need no labels. They say how an encoder spreads videos out and what it goes by, not "
    "whether it is good; read them beside the untrained encoder’s.",
}
"""What a protocol other than retrieval measures, for a reader."""
Column = tuple[str, Callable[[Group], Markup]]
PREFERRED: tuple[str, ...] = ("mining_precision", "mining_r@1", "class_mining_recall_median")
PREFERRED += ("class_mining_recall_mean",)
PREFERRED += ("rankme", "rankme_projected", "neighbour_overlap", "still_reliance", "still_r@1", "same_scene")
"""Metrics that come first in a table, in this order."""


def results(report: Report) -> Markup:
    """The section of tables: retrieval first, then every other protocol, a table for each of its settings."""
    heading = tag("h2", "Does it find the same class?")
    tables = [_table(block, report) for block in blocks(report.groups)]
    if report.retrieval():
        explained = EXPLAINED + (SEEDS if report.several_seeds() else "")
        return tag("section", heading, tag("p", explained), tables)
    run = report.runs[0]
    told, data = "Retrieval was not measured yet. Run:", run.environment.get("data")
    if run.unlabelled:
        told, data = "These videos carry no labels. R@k needs a labelled set; with one, run:", "LABELLED"
    command = tag("pre", tag("code", evaluate_command(run.path, data)), tabindex=0)
    return tag("section", heading, tag("p", told), command, tables)


def _table(block: Sequence[Group], report: Report) -> Markup:
    columns = _columns(block, report)
    head = tag("tr", [tag("th", name, scope="col") for name, _ in columns])
    chosen = report.headline.candidate
    body = [
        tag("tr", [tell(group) for _, tell in columns], class_="chosen" if group.encoder == chosen else None)
        for group in block
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


def _columns(block: Sequence[Group], report: Report) -> list[Column]:
    """Who; the main selection's metrics; the first metric of every further selection; where groups differ, whence."""
    main = main_selection(block)
    metrics = sorted({name for g in block for f in g.figures for name in f.metrics}, key=metric_order) or ["r@1"]
    first = metrics[0]
    others = list(dict.fromkeys(f.selection for group in block for f in group.figures if f.selection != main))
    columns: list[Column] = [("Encoder", _encoder)]
    if len({group.view for group in block}) > 1:
        columns.append(("View", lambda group: tag("td", view_name(group.view))))
    columns.append((metric_name(first), lambda group: _value(group, main, first, "number main")))
    held = [f for group in block if (f := group.at(main))]
    if first in MAIN and any(f.interval for f in held):
        top = min(1.0, max(0.1, *(bound for f in held for bound in _reach(f, first))))
        columns.append(("95 % interval", lambda group: _interval(group.at(main), first, top)))
    if any(over_reference(group, block, main, report.runs, report.rows) for group in block):
        columns.append(("Over supervised at equal labels", lambda group: _over(group, block, main, report)))
    columns += [_column(metric_name(name), main, name) for name in metrics[1:]]
    columns += [_column(f"{metric_name(first)}, {_selection(name)}", name, first) for name in others]
    if len({seed for group in block for seed in group.seeds}) > 1:
        columns.append(("Seeds", _seeds))
    if len({group.commits for group in block}) > 1:
        columns.append(("Commit", lambda group: tag("td", tag("code", ", ".join(group.commits)))))
    if len({group.runs for group in block}) > 1:
        columns.append(("Run", lambda group: tag("td", ", ".join(group.runs), class_="long small")))
    return columns


def _column(head: str, selection: str, metric: str) -> Column:
    return head, lambda group: _value(group, selection, metric)


def main_selection(block: Sequence[Group]) -> str:
    """The selection that most groups have first."""
    selections = [group.main.selection for group in block]
    return max(selections, key=selections.count)


def metric_order(name: str) -> tuple[int, list[tuple[int, int | str]]]:
    """Sorts a table's metrics: those that are preferred, then by name, ranks last."""
    place = PREFERRED.index(name) if name in PREFERRED else len(PREFERRED) + name.endswith("_rank")
    return (place, natural(name))


def _caption(block: Sequence[Group]) -> str:
    """What the table's figures were measured on, as far as all agree; columns tell the rest."""
    group, main = block[0], main_selection(block)
    told = "; ".join(dict.fromkeys(f"{f.data}: {_counts(f)}" for g in block if (f := g.at(main))))
    labelled = sorted({f.labelled for g in block if (f := g.at(main)) and f.labelled is not None})
    told += f", {' or '.join(f'{number:,}' for number in labelled)} labelled videos" if labelled else ""
    settings = [f"Protocol {group.protocol}", f"preset {group.preset or DASH}"]
    settings += [group.windows] if group.windows else []
    settings += [view_name(group.view)] if len({g.view for g in block}) == 1 else []
    seeds, commits = {seed for g in block for seed in g.seeds}, {commit for g in block for commit in g.commits}
    settings += [f"seed {seed}" for seed in seeds] if len(seeds) == 1 else []
    settings += [f"commit {commit}" for commit in commits] if len(commits) == 1 else []
    queries = f" Queries: {_selection(main)}, where the column does not name others." if main else ""
    return f"{told}.{queries} {', '.join(settings)}; manifest {group.digest[:12]}."


def _counts(figure: Pooled) -> str:
    return f"{figure.queries:,} queries against {figure.gallery:,}" if figure.gallery else f"{figure.queries:,} queries"


def _selection(name: str) -> str:
    key, equals, value = name.partition("=")
    return f"{value} {key}" if equals and "=" not in value and "," not in value else name or "all queries"


def _encoder(group: Group) -> Markup:
    name = tag("span", encoder_name(group.encoder, group.protocol))
    return tag("th", name, tag("small", group.variant) if group.variant else None, scope="row")


def _seeds(group: Group) -> Markup:
    """The seed, or how many and which."""
    told = ", ".join(map(str, group.seeds))
    several = len(group.seeds) > 1
    small = tag("small", told) if several else None
    return tag("td", str(len(group.seeds)) if several else told, small, class_="number")


def _value(group: Group, selection: str, metric: str, kind: str = "number") -> Markup:
    """One figure; what it was measured on, and each seed's, are told on hover."""
    figure = group.at(selection)
    if figure is None:
        return tag("td", DASH, class_=kind)
    each = zip(figure.seeds, figure.each.get(metric, ()), strict=False)
    seeds = "; ".join(f"seed {seed}: {metric_value(metric, value)}" for seed, value in each)
    whence = f"{seeds}; " if len(figure.seeds) > 1 else ""
    whence += f"{group.protocol}, preset {group.preset or DASH}, {figure.data}, {figure.selection or 'all queries'}, "
    whence += f"seed {figure.seeds[0]}, " if len(figure.seeds) == 1 else ""
    whence += f"commit {', '.join(group.commits)}, {_counts(figure)}"
    told = metric_with_spread(metric, figure.metrics.get(metric), figure.deviation.get(metric))
    return tag("td", told, class_=kind, title=whence)


def _reach(figure: Pooled, metric: str) -> list[float]:
    """How far a bar, its whisker and its dots reach."""
    known = [figure.metrics.get(metric), *figure.each.get(metric, ()), *(figure.interval or ())]
    return [value for value in known if value is not None]


def _interval(figure: Pooled | None, metric: str, top: float) -> Markup:
    value = None if figure is None else figure.metrics.get(metric)
    if figure is None or value is None:
        return tag("td", DASH)
    low_high = figure.interval
    bounds = f"{100 * low_high[0]:.1f}–{100 * low_high[1]:.1f} %" if low_high else "no interval"
    bar = interval_bar(value, low_high, figure.chance, top, figure.each.get(metric, ()))
    return tag("td", bar, tag("small", bounds), class_="bars")


def _over(group: Group, block: Sequence[Group], selection: str, report: Report) -> Markup:
    """How far an encoder is ahead of the supervised reference, with the interval of the difference."""
    difference = over_reference(group, block, selection, report.runs, report.rows)
    if difference is None:
        return tag("td", DASH, class_="number")
    how = "compared query by query" if difference.paired else "from the two intervals"
    verdict = "more than the noise" if difference.larger else "within the noise"
    bounds = tag("small", f"{signed_points(difference.low, difference.high)}; {verdict}")
    told = f"{100 * difference.value:+.1f}".replace("-", "−")
    return tag("td", f"{told} points", bounds, title=f"95 % interval of the difference, {how}", class_="over")
