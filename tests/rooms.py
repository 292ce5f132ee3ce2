"""The plan of the house: which room may import which; and its modules, each read once."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "kinema"
PEERS = {"data", "networks", "objectives", "mining"}
ALLOWED = {
    "core": set(),
    **{peer: {"core"} for peer in PEERS},
    "methods": {"core", *PEERS},
    "training": {"core"},
    "evaluation": {"core"},
    "reporting": {"core"},
    "recipes": {"core", *PEERS, "methods", "training"},
    "protocols": {"core", *PEERS, "methods", "recipes", "training", "evaluation"},
    "exporting": {"core", "data", "networks", "training"},
    "searching": {"core", "data"},
    "segmenting": {"core", "data", "searching"},
    "evolving": {"core", "data", "evaluation"},
}
ALLOWED["api"] = set(ALLOWED)
ALLOWED |= {
    "estimating": {"core", "mining", "recipes", "training", "api"},
    "serving": {"core", "data", "searching", "segmenting", "api"},
    "__init__": {"core", "data", "api", "estimating"},
}
ALLOWED["cli"] = set(ALLOWED) - {"__init__"}
ALLOWED["__main__"] = {"cli"}
"""Room to the rooms that it may import: each only what stands before it. The package's own face is ``__init__``."""


@cache
def parsed(module: Path) -> ast.Module:
    """The tree of a module, which nobody changes."""
    return ast.parse(module.read_text(encoding="utf-8"), str(module))
