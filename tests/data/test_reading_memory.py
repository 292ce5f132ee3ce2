"""Reading parts of files again and again keeps nothing."""

import ctypes
import gc

import pytest

from kinema.data.video.decoding import decode
from kinema.data.video.keyframe import keyframes
from kinema.data.video.pieces import decode_pieces


class HeapInfo(ctypes.Structure):
    """What mallinfo2 tells, in its order."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "rest",
        )
    )


def live_bytes():
    """What the C heap holds that was not given back."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("The C library does not tell how much of its heap is in use (glibc 2.33 or later does).")
    libc.mallinfo2.restype = HeapInfo
    gc.collect()
    told = libc.mallinfo2()
    return told.uordblks + told.hblkhd


@pytest.mark.parametrize(
    "read",
    [
        lambda path: decode(path, short_side=16, motion=False, start=0, stop=3),
        lambda path: decode(path, short_side=16, motion=True, start=14, stop=16),
        lambda path: decode_pieces(path, pixels=[2, 20], motion=[2], short_side=16),
        lambda path: keyframes(path, short_side=16, start=0, stop=1),
    ],
    ids=["frames", "later frames with motion", "pieces", "keyframes"],
)
def test_a_file_that_is_left_before_its_end_keeps_no_memory(make_video, tmp_path, read):
    path = make_video(tmp_path / "v.mp4", frames=24)
    for _ in range(20):
        read(path)
    before = live_bytes()
    for _ in range(200):
        read(path)
    assert (live_bytes() - before) / 200 < 80
