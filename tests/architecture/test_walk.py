"""The walk of a parameter: what `data` of `kinema.pretrain` passes through, and how often it turns back."""

import re
import shutil
import sys
from pathlib import Path

from rooms import ALLOWED, SOURCE
from tiny_runs import tiny_plan

import kinema
from kinema.data.video.manifest import Manifest

ROOT = Path(__file__).parents[2]
VIDEOS = ROOT / "tests" / "golden" / "videos"
FIGURE = re.compile(r"passes\s+(\d+)\s+functions\s+of\s+(\d+)\s+rooms\s+and\s+turns\s+back\s+(\w+)")


def own(frame):
    """Whether a frame runs a named function of kinema."""
    return frame.f_code.co_filename.startswith(str(SOURCE)) and not frame.f_code.co_name.startswith("<")


def room(frame):
    return Path(frame.f_code.co_filename).relative_to(SOURCE).with_suffix("").parts[0]


class Walk:
    """Sees every function that is handed the folder, or the table that it is opened as; its own methods don't count.

    Args:
        start: what is followed; the first table that is made joins it.
    """

    def __init__(self, start):
        self.followed, self.calls = [start], []

    def __call__(self, frame, event, value):
        if not own(frame):
            return
        if event == "return" and isinstance(value, Manifest) and not self.follows(value):
            self.followed.append(value)
        code = frame.f_code
        names = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"self"}
        if event == "call" and any(self.follows(frame.f_locals.get(name)) for name in names):
            caller = frame.f_back
            while caller is not None and not own(caller):
                caller = caller.f_back
            self.calls.append((room(caller) if caller else "", room(frame), code.co_filename, code.co_qualname))

    def follows(self, value):
        return any(value is one for one in self.followed)

    def figures(self):
        """Functions, rooms, and functions that a room calls which may not import theirs."""
        back = {call for call in self.calls if call[0] not in ("", call[1]) and call[1] not in ALLOWED[call[0]]}
        return len({call[2:] for call in self.calls}), len({call[1] for call in self.calls}), len(back)


def test_the_page_counts_the_walk_as_it_is(tmp_path):
    shutil.copytree(VIDEOS, tmp_path / "videos")
    walk = Walk(tmp_path / "videos")
    sys.setprofile(walk)
    try:
        kinema.pretrain(
            tiny_plan("simclr", epochs=1), walk.followed[0], tmp_path / "run", cache=tmp_path / "cache", logger="none"
        )
    finally:
        sys.setprofile(None)
    (told,) = FIGURE.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    functions, rooms, back = walk.figures()
    assert told == (str(functions), str(rooms), {0: "never", 1: "once"}.get(back, str(back)))
