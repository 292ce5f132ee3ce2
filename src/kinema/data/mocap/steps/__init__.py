"""Mocap-steps: videos of several motions one after another, with a label for every frame; drawn as Mocap-15 is.

Whoever looks for the steps of an activity in video without labels can be measured on it: what happens when is known.
"""

from kinema.data.mocap.steps.config import ACTIVITIES, BACKGROUND, STEPS, MocapStepsConfig
from kinema.data.mocap.steps.writer import write_mocap_steps

__all__ = ["ACTIVITIES", "BACKGROUND", "STEPS", "MocapStepsConfig", "write_mocap_steps"]
