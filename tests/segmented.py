"""A small segmentation: two videos, two steps, one of which has a name."""

from pathlib import Path

from kinema.segmenting.segmentation import Segment, Segmentation, SegmentedVideo, Step, Typical


def segmentation(root, *, name="tighten the screw", paths=("a.mp4", "day 1/b & <c>.mp4")):
    """The first video with three segments and a gap, those after it with one of step 2.

    Args:
        root: the folder of the videos.
        name: of step 1.
        paths: of the videos.
    """
    first = (Segment(0.0, 2.5, 1), Segment(2.5, 3.0006, 2), Segment(4.0, 9.0, 1))
    videos = [
        SegmentedVideo(path, 9.0, (Segment(0.25, 3600 / 500, 2),) if at else first) for at, path in enumerate(paths)
    ]
    typical = tuple(Typical(video.path, 1.0, 2.0, 0.75) for video in videos[:1])
    steps = (Step(1, name, typical, 7.5), Step(2, seconds=7.45))
    settings = {"steps": 2, "order": "fixed", "weights": [0.5, None]}
    return Segmentation(Path(root), tuple(videos), steps, settings, {"broken.mp4": "it cannot be decoded"})
