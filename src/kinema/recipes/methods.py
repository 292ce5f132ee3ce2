"""The table of methods: the one place where they are listed by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kinema.core.errors import UsageError
from kinema.methods import (
    BEConfig,
    BERegulariserConfig,
    CMDConfig,
    CPRBankConfig,
    CPRConfig,
    DSMConfig,
    ELoConfig,
    JoinedConfig,
    MoCoConfig,
    SimCLRConfig,
    SupervisedConfig,
    XDCConfig,
)


@dataclass(frozen=True)
class MethodEntry:
    """One method as a user sees it.

    Args:
        config: the class of its settings.
        paper: where it comes from.
        modalities: the views it can learn from.
        summary: one line.
        alone: whether it learns anything by itself; what does not stands beside another method.
    """

    config: type
    paper: str
    modalities: tuple[str, ...]
    summary: str
    alone: bool = True


VIDEO = ("rgb", "residual", "motion")

METHODS: dict[str, MethodEntry] = {
    "cpr": MethodEntry(
        CPRConfig,
        "Wu et al. 2022, arXiv 2201.07989",
        VIDEO,
        "InfoNCE on two views, then further positives mined by a cascade over both (stages=1 is CoCLR)",
    ),
    "cpr-bank": MethodEntry(
        CPRBankConfig,
        "Wu et al. 2022, arXiv 2201.07989 (the IIC form, a reconstruction)",
        VIDEO,
        "the cascade on memory banks of all videos, both views from scratch",
    ),
    "moco": MethodEntry(
        MoCoConfig, "He et al. 2020, arXiv 1911.05722", VIDEO, "InfoNCE against a queue of keys (the baseline of CPR)"
    ),
    "simclr": MethodEntry(
        SimCLRConfig, "Chen et al. 2020, arXiv 2002.05709", VIDEO, "two variants of each clip against the batch"
    ),
    "be": MethodEntry(
        BEConfig,
        "Wang et al. 2021, arXiv 2009.05769",
        ("rgb", "residual"),
        "a still frame is added to the clip, so that its background tells nothing; InfoNCE or triplets",
    ),
    "be-regulariser": MethodEntry(
        BERegulariserConfig,
        "Wang et al. 2021, arXiv 2009.05769",
        ("rgb", "residual"),
        "features do not change with the still frame: a loss beside another method (--beside)",
        alone=False,
    ),
    "dsm": MethodEntry(
        DSMConfig,
        "Wang et al. 2021, arXiv 2009.05757",
        VIDEO,
        "a positive whose scene is bent, a negative whose motion is broken; InfoNCE or triplets",
    ),
    "cmd": MethodEntry(
        CMDConfig,
        "Huang et al. 2021, arXiv 2104.00862",
        ("rgb", "residual"),
        "a clip finds the keyframe of its video and foretells the motion vectors that follow it",
    ),
    "elo": MethodEntry(
        ELoConfig,
        "Piergiovanni et al. 2020, arXiv 2002.12177",
        (*VIDEO, "sound"),
        "many tasks in several modalities, distilled into one network; 'kinema evolve' finds their weights",
    ),
    "xdc": MethodEntry(
        XDCConfig,
        "Alwassel et al. 2020, arXiv 1911.12667",
        (*VIDEO, "sound"),
        "the clusters that one view finds supervise the other (rgb and sound); forms xdc, sdc, mdc and cdc",
    ),
    "supervised": MethodEntry(
        SupervisedConfig, "cross entropy, no paper", VIDEO, "the reference that is told the labels"
    ),
}


def method_entry(name: str) -> MethodEntry:
    """The method of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in METHODS:
        raise UsageError(f"There is no method '{name}'.", f"Choose one of: {', '.join(METHODS)}.")
    return METHODS[name]


JOINED = "joined"
"""What JSON calls methods beside one another; a user names each of them."""


def settings_kind(name: str) -> type:
    """The class of the settings that JSON calls so.

    Raises:
        UsageError: there is none; the message lists the methods there are.
    """
    return JoinedConfig if name == JOINED else method_entry(name).config


def leading(config: Any) -> Any:
    """The settings of the method that leads: the first, where several are joined."""
    return config.method if isinstance(config, JoinedConfig) else config


def method_name(config: object) -> str:
    """The name of the method whose settings these are."""
    return (
        JOINED
        if isinstance(config, JoinedConfig)
        else next(name for name, entry in METHODS.items() if entry.config is type(config))
    )
