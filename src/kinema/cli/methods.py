"""``kinema methods``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json


def run(given: list[str]) -> int:
    """The verb ``kinema methods``."""
    args = parse(make_parser("methods"), given)
    from kinema.recipes.choice import AUTO, SUMMARY
    from kinema.recipes.table import METHODS

    if args.json:
        rows = [
            {"name": name, "paper": m.paper, "modalities": list(m.modalities), "summary": m.summary}
            for name, m in METHODS.items()
        ]
        print_json({"methods": rows})
    else:
        print(f"{AUTO:12} {SUMMARY}")
        for name, method in METHODS.items():
            print(f"{name:12} {method.summary} [{method.paper}]")
    return 0
