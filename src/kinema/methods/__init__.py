"""One paper, one file. Each is a plain module that keeps the contract of ``kinema.core.protocols.Method``."""

from kinema.methods.cmd import CMD, CMDConfig
from kinema.methods.cpr import CPR, CPRBank, CPRBankConfig, CPRConfig
from kinema.methods.moco import MoCo, MoCoConfig
from kinema.methods.simclr import SimCLR, SimCLRConfig
from kinema.methods.supervised import Supervised, SupervisedConfig

__all__ = [
    "CMD",
    "CPR",
    "CMDConfig",
    "CPRBank",
    "CPRBankConfig",
    "CPRConfig",
    "MoCo",
    "MoCoConfig",
    "SimCLR",
    "SimCLRConfig",
    "Supervised",
    "SupervisedConfig",
]
