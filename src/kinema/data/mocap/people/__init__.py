"""Mocap-people: tracklets of crops of many people in several cameras; drawn as Mocap-15 is.

Whoever tells people apart in video can be measured on it: what says who somebody is, clothes, build or gait, is known.
"""

from kinema.data.mocap.people.config import MOTIONS, MocapPeopleConfig
from kinema.data.mocap.people.writer import PeopleSummary, write_mocap_people

__all__ = ["MOTIONS", "MocapPeopleConfig", "PeopleSummary", "write_mocap_people"]
