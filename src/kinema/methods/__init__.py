"""One paper, one file. Each is a plain module that keeps the contract of ``kinema.core.method.Method``."""

from kinema.methods.be import BE, BEConfig, BERegulariser, BERegulariserConfig, BETriplet
from kinema.methods.cmd import CMD, CMDConfig
from kinema.methods.cpr import CPR, CPRBank, CPRBankConfig, CPRConfig
from kinema.methods.dcvh import DCVH, DCVHConfig
from kinema.methods.declutr import DeCLUTR, DeCLUTRConfig
from kinema.methods.dsm import DSM, DSMConfig, DSMTriplets
from kinema.methods.elo import ELo, ELoConfig
from kinema.methods.joined import Joined, JoinedConfig
from kinema.methods.moco import MoCo, MoCoConfig
from kinema.methods.simclr import SimCLR, SimCLRConfig
from kinema.methods.simcse import SimCSE, SimCSEConfig
from kinema.methods.supervised import Supervised, SupervisedConfig
from kinema.methods.tot import TOT, ASOTSettings, TOTConfig, TOTSettings
from kinema.methods.trl import TRL, TRLConfig
from kinema.methods.video_qa import VideoQA, VideoQAConfig
from kinema.methods.xdc import XDC, XDCConfig

__all__ = [
    "BE",
    "CMD",
    "CPR",
    "DCVH",
    "DSM",
    "TOT",
    "TRL",
    "XDC",
    "ASOTSettings",
    "BEConfig",
    "BERegulariser",
    "BERegulariserConfig",
    "BETriplet",
    "CMDConfig",
    "CPRBank",
    "CPRBankConfig",
    "CPRConfig",
    "DCVHConfig",
    "DSMConfig",
    "DSMTriplets",
    "DeCLUTR",
    "DeCLUTRConfig",
    "ELo",
    "ELoConfig",
    "Joined",
    "JoinedConfig",
    "MoCo",
    "MoCoConfig",
    "SimCLR",
    "SimCLRConfig",
    "SimCSE",
    "SimCSEConfig",
    "Supervised",
    "SupervisedConfig",
    "TOTConfig",
    "TOTSettings",
    "TRLConfig",
    "VideoQA",
    "VideoQAConfig",
    "XDCConfig",
]
