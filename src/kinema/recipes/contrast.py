"""The recipes of the baselines: MoCo, SimCLR, and supervised learning as a reference."""

from __future__ import annotations

from dataclasses import replace

from kinema.core.vocabulary import EncoderEntry
from kinema.methods import MoCoConfig, SimCLRConfig, SupervisedConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import BRIEF_QUEUE, PAPER_QUEUE, coclr_plan, small_plan


def small_moco() -> Plan:
    """MoCo for two CPU cores; see :func:`kinema.recipes.sizes.small_plan`."""
    return small_plan(MoCoConfig(), **BRIEF_QUEUE)


def paper_moco() -> Plan:
    """InfoNCE in the setting of CoCLR on UCF101, K = 2048."""
    return coclr_plan(replace(MoCoConfig(), **PAPER_QUEUE))


def small_simclr() -> Plan:
    """SimCLR for two CPU cores."""
    return small_plan(SimCLRConfig())


def paper_simclr() -> Plan:
    """SimCLR in the setting of CoCLR on UCF101."""
    return coclr_plan(SimCLRConfig())


def small_supervised() -> Plan:
    """Supervised learning for two CPU cores."""
    return small_plan(SupervisedConfig())


def paper_supervised() -> Plan:
    """Supervised learning in the setting of CoCLR on UCF101."""
    return coclr_plan(SupervisedConfig())


MOCO = MethodEntry(
    MoCoConfig,
    "He et al. 2020, arXiv 1911.05722",
    VIDEO,
    "InfoNCE against a queue of keys (the baseline of CPR)",
    "InfoNCE (MoCo)",
    {"small": small_moco, "paper": paper_moco},
    short="MoCo",
    reported=lambda _: "infonce",
    role="baseline",
    aliases={"infonce": EncoderEntry("InfoNCE", role="baseline", method="moco")},
)
SIMCLR = MethodEntry(
    SimCLRConfig,
    "Chen et al. 2020, arXiv 2002.05709",
    VIDEO,
    "two variants of each clip against the batch",
    "SimCLR",
    {"small": small_simclr, "paper": paper_simclr},
    role="baseline",
)
SUPERVISED = MethodEntry(
    SupervisedConfig,
    "cross entropy, no paper",
    VIDEO,
    "the reference that is told the labels",
    "Supervised (told the labels)",
    {"small": small_supervised, "paper": paper_supervised},
    short="Supervised",
    base=False,
    role="reference",
)
