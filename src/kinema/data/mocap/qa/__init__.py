"""Mocap-QA: videos of several motions in a row, timed subtitles, and questions whose answers are known.

Whoever answers questions about videos can be measured on it: of each kind of question it is known whether it can be
answered by what is said, by what is seen, or only by both at the right time.
"""

from kinema.data.mocap.qa.config import TYPES, MocapQAConfig
from kinema.data.mocap.qa.writer import QASummary, write_mocap_qa

__all__ = ["TYPES", "MocapQAConfig", "QASummary", "write_mocap_qa"]
