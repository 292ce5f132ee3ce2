"""Models that fail at a clip wider than high, where they are not in the process that made them."""

import os

from searching_tables import CLIP, model_of

from kinema.data.clips.reader import Model


class Frail(Model):
    def __init__(self, way):
        super().__init__(model_of().tower, "rgb", CLIP, name="made")
        self.way, self.home = way, os.getpid()

    def encode_clips(self, raw, **told):
        if raw.frames.shape[-2] > raw.frames.shape[-3] and os.getpid() != self.home:
            if self.way == "dies":
                os._exit(3)
            raise ZeroDivisionError("a clip too wide")
        return super().encode_clips(raw, **told)
