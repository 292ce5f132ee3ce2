import av
import numpy as np
import pytest

from kinema.core.errors import DataError, VideoError
from kinema.data.video.decoding import decode
from kinema.data.video.keyframe import keyframes, nearest_keyframe
from kinema.data.video.probe import probe
from kinema.data.video.reading import Reader

CLOSED = {"bf": "0", "g": "8", "keyint_min": "8", "sc_threshold": "0"}
OPEN = {"bf": "3", "b_strategy": "0", "g": "8", "keyint_min": "8", "sc_threshold": "0", "x264-params": "open-gop=1"}
KINDS = [
    ("closed.mp4", "libx264", CLOSED),
    ("b.mp4", "libx264", {**CLOSED, "bf": "3", "b_strategy": "0"}),
    ("open.mkv", "libx264", OPEN),
    ("open.ts", "libx264", OPEN),
    ("open.mp4", "libx265", {"x265-params": "keyint=8:min-keyint=8:bframes=3:open-gop=1:log-level=none"}),
    ("open.mpg", "mpeg2video", {"bf": "2", "g": "8"}),
    ("b.avi", "mpeg4", {"bf": "2", "g": "8"}),
    ("v.webm", "libvpx", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    ("raw.h264", "libx264", {**CLOSED, "bf": "2", "b_strategy": "0"}),
    ("raw-open.h264", "libx264", OPEN),
]


@pytest.mark.parametrize(("name", "codec", "options"), KINDS, ids=[kind[0] for kind in KINDS])
def test_they_are_what_decoding_everything_gives(make_video, tmp_path, name, codec, options):
    path = make_video(tmp_path / name, frames=30, codec=codec, options=options)
    whole = decode(path, short_side=None, motion=False)
    frames, numbers = keyframes(path, short_side=None)
    assert (frames.dtype, numbers.dtype) == (np.uint8, np.int64)
    assert len(numbers) >= 3
    assert numbers[0] == 0
    assert (np.diff(numbers) > 0).all()
    np.testing.assert_array_equal(frames, whole.frames[numbers])
    assert probe(path)["keyframes"] == numbers.tolist()
    later, behind = keyframes(path, short_side=None, start=9, stop=27)
    inside = (numbers >= 9) & (numbers < 27)
    assert inside.any()
    np.testing.assert_array_equal(behind, numbers[inside])
    np.testing.assert_array_equal(later, frames[inside])


def test_open_groups_are_open(make_video, tmp_path):
    """Otherwise the files above would prove nothing: frames are stored after a keyframe that are shown before it."""
    path = make_video(tmp_path / "open.mkv", frames=30, options=OPEN)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    assert any(packets[place + 1].pts < packets[place].pts for place in keys[1:-1])


def test_size_and_rotation(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", options=CLOSED, rotation=90)
    frames, numbers = keyframes(path, short_side=40)
    np.testing.assert_array_equal(frames, decode(path, short_side=40, motion=False).frames[numbers])
    assert frames.shape == (3, 60, 40, 3)
    assert numbers.tolist() == [0, 8, 16]


def test_the_frames_between_are_not_decoded(make_video, tmp_path):
    """Packets between keyframes are overwritten: decoding them would show."""
    path = make_video(tmp_path / "v.mp4", frames=30, options=CLOSED)
    expected, numbers = keyframes(path, short_side=None)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        between = [(p.pos, p.size) for p in container.demux(video=0) if p.size and not p.is_keyframe]
    for place, size in between:
        content[place : place + size] = b"\x00" * size
    path.write_bytes(content)
    frames, again = keyframes(path, short_side=None)
    np.testing.assert_array_equal(again, numbers)
    np.testing.assert_array_equal(frames, expected)


def test_a_damaged_keyframe_is_left_out(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", frames=30, options=CLOSED)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        keys = [(p.pos, p.size) for p in container.demux(video=0) if p.is_keyframe]
    content[keys[1][0] : sum(keys[1])] = b"\x00" * keys[1][1]
    path.write_bytes(content)
    assert keyframes(path, short_side=None)[1].tolist() == [0, 16, 24]


def test_where_there_are_none(make_video, tmp_path):
    path = make_video(tmp_path / "v.mp4", options=CLOSED)
    with pytest.raises(VideoError, match=r"v\.mp4.*among frames 9 to 15: there is none"):
        keyframes(path, short_side=None, start=9, stop=15)
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        keyframes(tmp_path / "gone.mp4", short_side=None)


def test_a_container_that_cannot_be_sought_in_is_read_from_the_beginning(make_video, tmp_path, monkeypatch):
    path = make_video(tmp_path / "v.avi", frames=30, codec="mpeg4", options={"bf": "2", "g": "8"})
    expected, numbers = keyframes(path, short_side=None, start=9)
    monkeypatch.setattr(Reader, "seek", lambda _reader, _pts: False)
    frames, again = keyframes(path, short_side=None, start=9)
    np.testing.assert_array_equal(again, numbers)
    np.testing.assert_array_equal(frames, expected)


def test_nearest():
    numbers = np.array([0, 8, 16])
    assert [nearest_keyframe(numbers, frame) for frame in (0, 3, 4, 5, 8, 13, 99)] == [0, 0, 0, 8, 8, 16, 16]
    assert nearest_keyframe([16, 8], 12) == 8
    with pytest.raises(DataError, match="frame 3"):
        nearest_keyframe([], 3)


@pytest.mark.data
def test_real_files(shared_data):
    files = [
        shared_data / "decoder_clips" / "decord" / "video_90.mov",
        shared_data / "decoder_clips" / "openh264" / "MR1_MW_A.264",
        shared_data / "decoder_clips" / "tiny-ucf101" / "v_Basketball_g01_c01.avi",
        shared_data / "decoder_clips" / "torchcodec" / "h265_video.mp4",
        shared_data / "grid_s1_av" / "originals" / "bbaf2n.mpg",
        shared_data / "grid_s1_av" / "clips_small" / "bbaf2n.mp4",
    ]
    for path in files:
        whole = decode(path, short_side=72, motion=False)
        frames, numbers = keyframes(path, short_side=72)
        np.testing.assert_array_equal(frames, whole.frames[numbers], err_msg=path.name)
        if path.suffix != ".264":
            assert probe(path)["keyframes"] == numbers.tolist()


@pytest.mark.data
def test_a_part_is_a_part_of_the_whole_where_only_the_first_packet_names_the_encoder(shared_data):
    path = shared_data / "decoder_clips" / "imageio" / "cockatoo.mp4"
    whole = decode(path, short_side=72, motion=False, stop=82)
    part = decode(path, short_side=72, motion=False, start=78, stop=82)
    np.testing.assert_array_equal(part.frames, whole.frames[78:])
    frames, numbers = keyframes(path, short_side=72, start=70, stop=82)
    assert numbers.tolist() == [76]
    np.testing.assert_array_equal(frames, whole.frames[numbers])
