"""Mocap-15: the data set that ships. Real recorded human motion, drawn before painted scenes, as H.264 files.

Every claim about motion and scene can be measured on it, because both are under control: see :class:`MocapConfig`.
"""

from kinema.data.mocap.config import CLASSES, PARTS, MocapConfig
from kinema.data.mocap.writer import MocapSummary, write_mocap

__all__ = ["CLASSES", "PARTS", "MocapConfig", "MocapSummary", "write_mocap"]
