"""Mocap-words: pictures of Mocap-15's people, each with a sentence about it and labels; drawn as Mocap-15 is.

Whoever puts pictures and words into one space can be measured on it: what is seen, and what of it is said, is known.
"""

from kinema.data.mocap.words.config import MocapWordsConfig
from kinema.data.mocap.words.writer import WordsSummary, write_mocap_words

__all__ = ["MocapWordsConfig", "WordsSummary", "write_mocap_words"]
