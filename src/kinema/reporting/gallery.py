"""Queries and their nearest clips, to be looked at."""

from __future__ import annotations

from kinema.reporting.markup import Markup, tag
from kinema.reporting.report import Neighbour, Report, Strip


def gallery(report: Report) -> Markup:
    """The section of strips; nothing where there are none."""
    if not report.strips:
        return Markup("")
    about = (
        "Each row of frames is one clip. First the query, then the five clips that the encoder holds nearest, nearest "
    )
    about += "first. A green frame with ✓ is a clip of the query’s class, a red frame with ✗ is not. "
    parts = [tag("h2", "Look for yourself"), tag("p", f"{about}Shown: {report.strip_rule}")]
    for query in dict.fromkeys(strip.query.query for strip in report.strips):
        strips = [strip for strip in report.strips if strip.query.query == query]
        label = strips[0].query.label
        heading = tag("h3", "Query: ", tag("span", label if label is not None else query, class_="long"))
        parts.append(tag("article", heading, [_row(report, strip) for strip in strips], class_="strips"))
    return tag("section", parts)


def _row(report: Report, strip: Strip) -> Markup:
    hits = strip.query.hits
    judged = [hit for hit in hits if hit.same is not None]
    right = f": {sum(bool(hit.same) for hit in judged)} of {len(judged)} of the same class" if judged else ""
    items = [tag("li", _hit(report, hit, place)) for place, hit in enumerate(hits, 1)]
    frames = _picture(report, strip.query.query, f"Frames of the query, {_label(strip.query.label)}")
    caption = tag("figcaption", tag("strong", "Query "), tag("span", strip.query.query, class_="long"))
    items.insert(0, tag("li", tag("figure", frames, caption, class_="clip query"), class_="asked"))
    return tag("div", tag("h4", f"{report.vocabulary.title(strip.encoder)}{right}"), tag("ol", items, class_="hits"))


def _hit(report: Report, hit: Neighbour, place: int) -> Markup:
    kind, mark, word = {
        True: ("same", "✓", "same class"),
        False: ("other", "✗", "another class"),
        None: ("unjudged", "?", "class not known"),
    }[hit.same]
    score = "" if hit.score is None else f"{hit.score:.2f}"
    caption = tag(
        "figcaption",
        tag("span", mark, class_="mark", title=word),
        tag("span", f" {word}", class_="unseen"),
        tag("span", f" {_label(hit.label)} ", class_="long"),
        tag("small", score, title="cosine similarity") if score else None,
    )
    picture = _picture(report, hit.path, f"Frames of neighbour {place}, {_label(hit.label)}, {word}")
    return tag("figure", picture, caption, class_=f"clip {kind}", title=hit.path)


def _picture(report: Report, path: str, alt: str) -> Markup:
    if path in report.images:
        return tag("img", src=report.images[path], alt=alt, loading="lazy", decoding="async")
    return tag("p", f"No picture: {report.undrawn.get(path, path)}", class_="missing long")


def _label(label: str | None) -> str:
    return "class not known" if label is None else label
