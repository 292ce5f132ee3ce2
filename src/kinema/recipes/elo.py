"""ELo's recipe; ``kinema evolve`` finds its weights."""

from __future__ import annotations

from kinema.methods import ELoConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import coclr_plan, small_plan


def small() -> Plan:
    """ELo for two CPU cores, with one modality beside its view, the motion."""
    return small_plan(ELoConfig(), others=("motion",))


def coclr() -> Plan:
    """ELo in the setting of CoCLR's authors, with an R(2+1)D, the kind of network that ELo's have."""
    return coclr_plan(ELoConfig(), encoder="r2plus1d26")


ELO = MethodEntry(
    ELoConfig,
    "Piergiovanni et al. 2020, arXiv 2002.12177",
    (*VIDEO, "sound"),
    "many tasks in several modalities, distilled into one network; 'kinema evolve' finds their weights",
    "ELo (evolving losses)",
    {"small": small, "coclr": coclr},
    short="ELo",
)
