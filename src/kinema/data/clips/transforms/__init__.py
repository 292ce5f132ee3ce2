"""Views of a batch of clips: one geometry a clip and variant, one colour, whatever the views are."""

from kinema.data.clips.transforms.blur import gaussian_matrix
from kinema.data.clips.transforms.broken_motion import BrokenMotion
from kinema.data.clips.transforms.colour import Colour, colour_matrix, contrast_offset, draw_colour
from kinema.data.clips.transforms.config import TransformConfig
from kinema.data.clips.transforms.disturb import apart_in, check_variants
from kinema.data.clips.transforms.elsewhere import RELEASED_APART, Elsewhere
from kinema.data.clips.transforms.geometry import (
    Geometry,
    axis_matrix,
    centre_square,
    draw_geometry,
    resample,
    ten_crops,
)
from kinema.data.clips.transforms.local_warp import LocalWarp
from kinema.data.clips.transforms.log_mel import log_mel, mel_filters
from kinema.data.clips.transforms.motion import MOTION_LIMIT, MOTION_UNIT, motion_clips_view, motion_view
from kinema.data.clips.transforms.rotation import Rotation
from kinema.data.clips.transforms.sound import SOUND_MEAN, SOUND_STD, SoundAugment, draw_sound, sound_view
from kinema.data.clips.transforms.static_frame import StaticFrame, mixed
from kinema.data.clips.transforms.views import RESIDUAL_UNIT, RGB_MEAN, RGB_STD, ViewTransform

__all__ = [
    "MOTION_LIMIT",
    "MOTION_UNIT",
    "RELEASED_APART",
    "RESIDUAL_UNIT",
    "RGB_MEAN",
    "RGB_STD",
    "SOUND_MEAN",
    "SOUND_STD",
    "BrokenMotion",
    "Colour",
    "Elsewhere",
    "Geometry",
    "LocalWarp",
    "Rotation",
    "SoundAugment",
    "StaticFrame",
    "TransformConfig",
    "ViewTransform",
    "apart_in",
    "axis_matrix",
    "centre_square",
    "check_variants",
    "colour_matrix",
    "contrast_offset",
    "draw_colour",
    "draw_geometry",
    "draw_sound",
    "gaussian_matrix",
    "log_mel",
    "mel_filters",
    "mixed",
    "motion_clips_view",
    "motion_view",
    "resample",
    "sound_view",
    "ten_crops",
]
