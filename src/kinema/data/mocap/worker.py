"""Makes a share of the recordings in a process of its own: ``python -m kinema.data.mocap.worker``.

Reads one JSON object on standard input (folder, settings, share) and answers with one JSON line a video.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.data.mocap.body import draw_actor, place_points, pose_body
from kinema.data.mocap.camera import frame_shot
from kinema.data.mocap.config import CLASSES, MocapConfig
from kinema.data.mocap.encode import frames_digest, read_note, write_video
from kinema.data.mocap.making import answer
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


def _share(out: Path, config: MocapConfig, share: slice) -> Iterator[dict[str, str]]:
    studio = Studio(out, config)
    for recording in plan_recordings(config)[share]:
        yield from studio.make(recording)


if __name__ == "__main__":
    answer(MocapConfig, _share)
