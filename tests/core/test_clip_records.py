"""Raw clips with all that may come along: what is done to them is done to every tensor of every group."""

from dataclasses import replace

import pytest
import torch

from kinema.core.clips import ClipBatch, ClipCompanions, MotionClips, MotionField, RawClips, RawCompanions, Waveform
from kinema.core.errors import ShapeError
from kinema.core.records import mapped

B, V = 3, 2
ROWS = ("extent", "index", "source", "label")


def numbered(*shape):
    """Float tensors whose entries all differ."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(shape)


def field(*lead):
    values = numbered(B, *lead, 2, 3, 2)
    extent = torch.tensor([[2, 3], [1, 3], [2, 2]])
    return MotionField(values, values[..., 0] % 3 > 0, extent)


def raw_clips():
    index, samples = torch.arange(B), numbered(B, V, 7)
    return RawClips(
        frames=numbered(B, V, 3, 4, 5, 3).to(torch.uint8),
        extent=torch.tensor([[4, 5], [3, 5], [4, 4]]),
        index=index,
        source=index + 10,
        label=index - 1,
        elsewhere=index > 0,
        motion=field(V, 2),
        sound=Waveform(samples, samples % 2 > 0),
        companions=RawCompanions(numbered(B, 4, 5, 3).to(torch.uint8), field(4, 6)),
    )


def leaves(record):
    """Every tensor of a record, those of its groups included."""
    found = []

    def keep(x):
        found.append(x)
        return x

    mapped(record, keep)
    return found


def test_a_change_reaches_every_tensor_and_nothing_else():
    raw = raw_clips()
    assert len(leaves(raw)) == 6 + 3 + 2 + 1 + 3
    bare = replace(raw, motion=None, sound=None, companions=None)
    assert len(leaves(bare)) == 6
    assert mapped(bare, torch.clone).motion is None
    assert mapped(None, torch.clone) is None


def test_the_first_clips_are_the_first_of_everything():
    raw = raw_clips()
    some = raw.first(2)
    assert len(some) == 2
    for part, whole in zip(leaves(some), leaves(raw), strict=True):
        assert torch.equal(part, whole[:2])


def test_clips_go_to_another_device_as_a_whole():
    assert {x.device.type for x in leaves(raw_clips().to("meta"))} == {"meta"}


def test_variants_become_clips_and_what_is_of_the_video_is_repeated():
    raw = replace(raw_clips(), elsewhere=None)
    apart = raw.split_variants()
    assert apart.frames.shape == (B * V, 1, 3, 4, 5, 3)
    for clip in range(B):
        for v in range(V):
            one = clip * V + v
            for ours, theirs in (
                (apart.frames, raw.frames),
                (apart.motion.values, raw.motion.values),
                (apart.motion.valid, raw.motion.valid),
                (apart.sound.samples, raw.sound.samples),
                (apart.sound.valid, raw.sound.valid),
            ):
                assert torch.equal(ours[one, 0], theirs[clip, v])
            for ours, theirs in (
                (apart.extent, raw.extent),
                (apart.index, raw.index),
                (apart.source, raw.source),
                (apart.label, raw.label),
                (apart.motion.extent, raw.motion.extent),
                *zip(leaves(apart.companions), leaves(raw.companions), strict=True),
            ):
                assert torch.equal(ours[one], theirs[clip])


def test_a_batch_refuses_company_of_another_shape():
    index = torch.arange(B)
    motion = MotionClips(numbered(B, 4, 2, 6, 8, 8), torch.ones(B, 4, dtype=torch.bool))
    batch = ClipBatch(
        ({"rgb": numbered(B, 3, 2, 8, 8)},), index, index, companions=ClipCompanions(numbered(B, 3, 8, 8), motion)
    )
    fewer = mapped(batch.companions, lambda x: x[:2])
    for record, changes, message in (
        (
            motion,
            {"values": motion.values[:, :, :1]},
            r"MotionClips.values is \(3, 4, 1, 6, .*; expected \[B, 1 \+ N, 2",
        ),
        (motion, {"valid": motion.valid[:, 1:]}, r"MotionClips.valid is torch.bool \(3, 3\); expected bool \[3, 4\]"),
        (fewer, {"keyframe": fewer.keyframe[:, :1]}, r"ClipCompanions.keyframe is \(2, 1, .* expected \[B, 3, S, S\]"),
        (fewer, {"keyframe": None, "motion": None}, "ClipCompanions holds neither"),
        (batch, {"companions": fewer}, r"ClipBatch.companions.keyframe is \(2, 3, 8, 8\); expected \[3, 3, S, S\]"),
        (batch, {"companions": ClipCompanions(None, fewer.motion)}, r"ClipBatch.companions.motion is \(2, 4, "),
        (batch, {"source": index[1:]}, r"ClipBatch.source is \(2,\); expected \[3\]"),
    ):
        with pytest.raises(ShapeError, match=message):
            replace(record, **changes)


def test_raw_clips_refuse_what_contradicts_them():
    raw = raw_clips()
    beside, few = raw.companions, raw.companions.motion.window(0)
    motion, still = beside.motion, beside.keyframe
    two = mapped(motion, lambda x: x[:2])
    for record, changes, message in (
        (raw, {"frames": raw.frames.int()}, r"frames is torch.int32 \(3, 2, .* expected uint8 \[B, V, T\+1, H, W, 3\]"),
        *((raw, {name: getattr(raw, name)[:2]}, rf"RawClips.{name} is \(2,.*; expected \[3") for name in ROWS),
        (raw, {"motion": field(V, 1)}, r"RawClips.motion is \(3, 2, 1, .*; expected \[3, 2, 2, h, w, 2\]"),
        (raw, {"companions": RawCompanions(still[:, 1:])}, r"companions.keyframe is .*; expected \[3, 4, 5, 3\]"),
        (raw, {"companions": RawCompanions(None, two)}, r"companions.motion is \(2, .* expected \[3, 1 \+ N, M"),
        (beside, {"keyframe": still.int()}, r"RawCompanions.keyframe is torch.int32 .* expected uint8 \[B, H, W, 3\]"),
        (beside, {"motion": few}, r"RawCompanions.motion is \(3, 6, 2, 3, 2\); expected \[B, 1 \+ N, M, h, w, 2\]"),
        (beside, {"keyframe": None, "motion": None}, "RawCompanions holds neither a keyframe nor motion clips"),
        (motion, {"values": motion.values[..., :1]}, r"MotionField.values is .* 1\); expected \[B, ..., h, w, 2\]"),
        (
            motion,
            {"values": motion.values[:, 1:]},
            r"MotionField.valid is torch.bool .*; expected bool \[3, 3, 6, 2, 3\]",
        ),
        (
            motion,
            {"valid": motion.valid.int()},
            r"MotionField.valid is torch.int32 .*; expected bool \[3, 4, 6, 2, 3\]",
        ),
        (motion, {"extent": motion.extent[:2]}, r"MotionField.extent is \(2, 2\); expected \[3, 2\]"),
        (raw.sound, {"samples": raw.sound.samples[:, 0]}, r"Waveform.samples is \(3, 7\); expected \[B, V, S\]"),
    ):
        with pytest.raises(ShapeError, match=message):
            replace(record, **changes)
