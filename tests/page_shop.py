"""A folder that has what the pages name (videos/, labelled/, video.mp4, …), small, and a way to run a page in it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from page_blocks import Block

CLASSES = {"left": (-2, 0), "right": (2, 0), "down": (0, 2)}
UCF = {"ApplyEyeMakeup": (2, 0), "Archery": (0, 2)}
SHELL = re.compile(r"[|&;<>$`*?(){}\[\]~]")
TOGETHER = re.compile(r"^\s*(?:for|while|if|cd|export|\w+=)\b|<<", re.MULTILINE)


def stock(folder: Path, write_video):
    """Everything that a page may name, made once for all pages."""
    for number, (name, motion) in enumerate(CLASSES.items()):
        for clip in range(24):
            write_video(folder / f"videos/{name}/{name}{clip}.mp4", motion, seed=100 * number + clip, frames=34)
            if clip < 4:
                write_video(
                    folder / f"labelled/{name}/{name}{clip}.mp4", motion, seed=1000 + 100 * number + clip, frames=34
                )
    shutil.copytree(folder / "videos/left", folder / "footage")
    (folder / "footage/left0.mp4").write_bytes(b"no video at all")
    whole = (folder / "footage/left1.mp4").read_bytes()
    (folder / "footage/left1.mp4").write_bytes(whole[: len(whole) // 2])
    sounding_video(folder / "video.mp4", write_video)
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(folder / "video.mp4", folder / name)
    ucf101(folder / "data/ucf101", write_video)


def sounding_video(path: Path, write_video):
    """Ten seconds of 25 frames, with a tone."""
    silent = path.with_name("silent.mp4")
    write_video(silent, (0, 0), seed=3, frames=250)
    with av.open(str(silent)) as source, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream("aac", rate=16_000, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        tone = (8000 * np.sin(np.arange(160_000) * 0.17)).astype(np.int16)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    silent.unlink()


def ucf101(root: Path, write_video):
    """A tree as UCF101 is published: two classes, five groups, two clips a group, three splits."""
    names = [f"{c}/v_{c}_g{g:02d}_c{n:02d}.avi" for c in UCF for g in range(1, 6) for n in (1, 2)]
    for number, name in enumerate(names):
        write_video(root / "UCF-101" / name, UCF[name.split("/")[0]], seed=500 + number, frames=34)
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("".join(f"{i} {c}\n" for i, c in enumerate(UCF, 1)))
    for split in (1, 2, 3):
        test = [name for name in names if f"_g{split:02d}_" in name or f"_g{split + 3:02d}_" in name]
        (lists / f"testlist0{split}.txt").write_text("".join(f"{name}\n" for name in test))
        train = [f"{name} {list(UCF).index(name.split('/')[0]) + 1}\n" for name in names if name not in test]
        (lists / f"trainlist0{split}.txt").write_text("".join(train))


def commands(folder: Path):
    """A folder for PATH with this interpreter's kinema, python and pytest."""
    folder.mkdir()
    start = {"kinema": ' -c "from kinema.cli import main; main()"', "python": "", "pytest": " -m pytest"}
    start["torchrun"] = " -m torch.distributed.run"
    for name, how in start.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}"{how} "$@"\n')
        script.chmod(0o755)
    return folder


class Shop:
    """Runs the blocks of one page in one folder: in this process where that saves loading torch each time."""

    def __init__(self, folder: Path, environment: dict[str, str], *, own_process: bool):
        self.folder, self.environment, self.own_process = folder, environment, own_process
        self.names = {"__name__": "__main__"}

    def run(self, block: Block):
        if block.language == "python":
            if self.own_process:
                self._call([sys.executable, "-c", block.body], block)
            else:
                exec(compile("\n" * block.line + block.body, block.page, "exec"), self.names)
            return
        if TOGETHER.search(block.body):
            self._call(["bash", "-euo", "pipefail", "-c", block.body], block)
            return
        for line in re.sub(r"\\\n", " ", block.body).splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if words[0] == "kinema" and not self.own_process and not SHELL.search(line.partition(" #")[0]):
                self._kinema(words[1:], block)
            else:
                self._call(["bash", "-euo", "pipefail", "-c", line], block)

    def told(self, line: str):
        """What one more command line says."""
        return self._call(["bash", "-euo", "pipefail", "-c", line], Block("beside the page", 0, "sh", line))

    def _kinema(self, words, block):
        from kinema import cli

        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == 0, f"{block.place}: kinema {shlex.join(words)}"

    def _call(self, command, block):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block.place}: {command[-1]}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout
