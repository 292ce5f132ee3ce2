"""Crops of made-up people in folders, as cameras and data sets leave them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 32, 16


def crop(person=0, frame=0, height=HEIGHT, width=WIDTH):
    """A person by the colours of the upper and the lower half, and a frame by a bright row, uint8 [H, W, 3]."""
    upper, lower = np.random.default_rng(person).integers(40, 200, (2, 3))
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2], picture[height // 2 :] = upper, lower
    picture[frame % height] = 255
    return picture


def save(path, picture, **how):
    """A picture as a file, its folder made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **how)
    return Path(path)


def write_people(root, people=("anna", "ben", "cy", "dora"), cameras=("door", "hall"), frames=3):
    """IDENTITY/CAMERA/NNNN.png."""
    for number, person in enumerate(people):
        for camera in cameras:
            for frame in range(frames):
                save(Path(root) / person / camera / f"{frame:04}.png", crop(number, frame))
    return Path(root)


def write_listing(root, rows, head="path,identity,camera,tracklet,frame", name="tracklets.csv", encoding="utf-8"):
    """A tracklets.csv of lines as they are."""
    Path(root).mkdir(parents=True, exist_ok=True)
    (Path(root) / name).write_text("\n".join([head, *rows]) + "\n", encoding)
    return Path(root) / name


def write_video(path, frames=6, size=(48, 64)):
    """A video in which a white square is as far from the left as four times the number of the frame; lossless."""
    import av

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10, options={"qp": "0", "g": "4"})
        stream.height, stream.width = size
        stream.pix_fmt = "rgb24"
        for number in range(frames):
            picture = np.zeros((*size, 3), np.uint8)
            picture[8:24, 4 * number : 4 * number + 8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return Path(path)


def write_onnx(path, batch="n", height=8, channels=3):
    """The mean of each colour, as an ONNX file that takes crops of 8 x 4, or of any size."""
    onnx = pytest.importorskip("onnx", reason="the extra kinema[onnx] is not installed")
    pytest.importorskip("onnxruntime", reason="the extra kinema[onnx] is not installed")
    from onnx import TensorProto, helper

    shape = [batch, channels, height, 4 if height == 8 else "w"]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, channels, 1, 1])
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return str(path)
