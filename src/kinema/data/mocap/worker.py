"""Makes a share of the recordings in a process of its own: ``python -m kinema.data.mocap.worker``.

Reads one JSON object on standard input (folder, settings, share) and answers with one JSON line a video.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.core.config import from_plain, make_strict_converter
from kinema.core.errors import KinemaError
from kinema.data.mocap.body import draw_actor, place_points, pose_body
from kinema.data.mocap.camera import frame_shot
from kinema.data.mocap.config import CLASSES, MocapConfig
from kinema.data.mocap.encode import frames_digest, read_note, write_video
from kinema.data.mocap.performance import perform
from kinema.data.mocap.plan import Recording, plan_recordings
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.scenes import Scene, paint_scene
from kinema.data.mocap.sound import perform_sound


class Studio:
    """Makes recordings one after another.

    Args:
        out: the data set's folder.
        config: its settings.
    """

    def __init__(self, out: Path, config: MocapConfig) -> None:
        self._out, self._config = out, config
        self._speakers = {(each.label, each.number): each for each in plan_recordings(config) if each.split == "train"}
        self._scene = lru_cache(maxsize=len(CLASSES) * (config.scenes_train + config.scenes_test))(self._paint)

    def _paint(self, split: str, family: int, number: int) -> Scene:
        config = self._config
        return paint_scene(
            config.seed,
            split,
            family,
            CLASSES[family],
            number,
            size=config.size,
            clutter=config.clutter,
            contrast=config.scene_contrast,
        )

    def make(self, recording: Recording) -> Iterator[dict[str, str]]:
        """Writes the recording's videos and yields a row of ``labels.csv`` for each, its frames' digest with it.

        A video that is there already, whole and of these settings, is not made again.
        """
        config = self._config
        rng = recording.generator(config.seed)
        actor = draw_actor(config.seed, recording.split, recording.actor, config.limb_contrast)
        motion = perform(CLASSES[recording.label], config, rng)
        shot = frame_shot(place_points(motion, actor), config, rng)
        speaker = self._speakers[recording.sounds_like] if recording.sounds_like else recording
        sound = self._sound(speaker) if config.sound else None
        drawing = None
        for take in recording.takes:
            scene = self._scene(recording.split, take.family, take.scene)
            path = self._out / take.path
            about, _, digest = read_note(path).rpartition(" ")
            if about != take.path:
                if drawing is None:
                    drawing = draw([pose_body(motion, actor)], shot.camera, config.size)
                frames = compose(drawing, scene, shot)
                digest = frames_digest(frames, sound)
                write_video(path, frames, config, f"{take.path} {digest}", sound)
            yield {
                "path": take.path,
                "label": CLASSES[recording.label],
                "source": recording.name,
                "split": recording.split,
                "part": take.part,
                "actor": actor.name,
                "scene": scene.name,
                "camera": shot.name,
                "recording": recording.name,
                "digest": digest,
                "sound": speaker.name,
            }

    def _sound(self, recording: Recording) -> NDArray[np.float32]:
        """What a recording sounds like."""
        config = self._config
        motion = perform(CLASSES[recording.label], config, recording.generator(config.seed))
        points = place_points(motion, draw_actor(config.seed, recording.split, recording.actor, config.limb_contrast))
        return perform_sound(points, config.fps, recording.sound_generator(config.seed), config.sound_noise)


def main() -> None:
    """Answers the request on standard input; every line of the answer is a row, or ``{"error", "hint"}`` at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    config = from_plain(request["config"], MocapConfig, make_strict_converter(), "the request")
    mine = plan_recordings(config)[request["share"] :: request["shares"]]
    try:
        studio = Studio(Path(request["out"]), config)
        for recording in mine:
            for row in studio.make(recording):
                print(json.dumps(row), flush=True)
    except KinemaError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
