"""HTML that cannot be injected into: every text is escaped unless it is MarkupSafe's :class:`Markup`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from markupsafe import Markup, escape

__all__ = ["VOID", "Child", "Markup", "join", "safe", "tag"]

VOID = {"img", "br", "meta", "circle", "line", "path", "rect", "polyline"}

Child: TypeAlias = "str | int | list[Markup] | tuple[Markup, ...] | None"


def safe(child: Child) -> Markup:
    """The child as HTML: escaped, unless it is markup or a list of markup; None is nothing."""
    if child is None:
        return Markup()
    if isinstance(child, list | tuple):
        return Markup().join(safe(each) for each in child)
    return escape(child)


def tag(name: str, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element.

    Args:
        name: the element's name.
        children: text (escaped), markup, lists of markup, or None.
        attributes: an underscore at the end is dropped (``class_``), others become dashes; None and False leave the
            attribute out, True writes it without a value.
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escape(str(_plain(value)))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID and not children:
        return Markup(f"<{name}{written}>" if name in {"img", "br", "meta"} else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{Markup().join(safe(child) for child in children)}</{name}>")


def _attribute(key: str) -> str:
    return "viewBox" if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _plain(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def join(parts: Sequence[Markup], between: str = "") -> Markup:
    """Markup after markup, with text (escaped) between."""
    return escape(between).join(parts)
