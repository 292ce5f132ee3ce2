"""The model as an ONNX file: input 'clips' [batch, C, T, H, W], outputs 'features' [batch, dim] and 'projected'.

Of the view 'sound' the input is [batch, 1, bands, times]. Of several encoders side by side there is an input for each,
called by its view, and a row of either output has length 1.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from kinema.core.errors import ExportError, MissingExtraError
from kinema.data.clips.reader import Model
from kinema.exporting.agreement import Difference, measure
from kinema.exporting.program import clip_shapes, first_line, function_of, program_of, quiet

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
OUTPUTS = ("features", "projected")


def make_onnx(model: Model, about: str) -> tuple[bytes, Difference]:
    """The bytes of the file, run once in ONNX Runtime on the CPU and compared with the model.

    Args:
        model: what is exported.
        about: written to the file's metadata as 'kinema'.

    Raises:
        MissingExtraError: a package of the extra kinema[onnx] is not installed.
        ExportError: it cannot be translated, or computes something else.
    """
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "onnx") from error
    function, shapes = function_of(model), clip_shapes(model)
    program = program_of(without_batch_norm(function_of(model)), [*shapes.values()])
    try:
        with quiet():
            translated: Any = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(shapes),
                output_names=list(OUTPUTS),
                dynamic_shapes={name: {0: "batch"} for name in shapes},
                optimize=True,
                verbose=False,
            )
    except Exception as error:  # the exporter raises types of its own and of Python's
        raise ExportError(
            f"PyTorch {torch.__version__} cannot translate this encoder to ONNX: {first_line(error)}.",
            "Export to safetensors or to a program, which need no translation.",
        ) from error
    proto = _named(translated.model_proto)
    entry = proto.metadata_props.add()
    entry.key, entry.value = "kinema", about
    content: bytes = proto.SerializeToString()
    session = open_onnx(content)

    def run(*clips: Tensor) -> Any:
        try:
            return session.run(list(OUTPUTS), {name: x.numpy() for name, x in zip(shapes, clips, strict=True)})
        except Exception as error:  # its errors share no base with Python's
            raise ExportError(
                f"ONNX Runtime cannot run the export: {first_line(error)}; no file was written."
            ) from error

    return content, measure(function, run, [*shapes.values()])


def _named(proto: Any) -> Any:
    """The same with its first axis called 'batch' throughout; PyTorch 2.6 gives it a name of its own."""
    graph = proto.graph
    own = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert own, "the batch is of any size"
    for value in (*graph.input, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param == own:
                axis.dim_param = "batch"
    if own != "batch":
        del graph.value_info[:]  # shapes in between, which a reader works out for itself
    return proto


class Affine(nn.Module):
    """BatchNorm in evaluation: a factor and an offset a channel, [B, C, …] to the same.

    PyTorch 2.6 cannot translate BatchNorm itself with later releases of onnxscript. ONNX Runtime merges the factor and
    the offset into the convolution before them.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean.double(), norm.running_var.double()
        scale = (variance + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight.double())
        shift = (0.0 if norm.bias is None else norm.bias.double()) - mean * scale
        axes = {nn.BatchNorm1d: 0, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}[type(norm)]
        shape = (-1, *[1] * axes)
        self.register_buffer("scale", scale.float().reshape(shape))
        self.register_buffer("shift", shift.float().reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Each channel times its factor, plus its offset."""
        return x * self.scale + self.shift


def without_batch_norm(net: nn.Module) -> nn.Module:
    """Puts an :class:`Affine` in the place of every BatchNorm, in the network itself."""
    for name, child in net.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            setattr(net, name, Affine(child))
        else:
            without_batch_norm(child)
    return net


def open_onnx(file: str | bytes) -> Any:
    """A session of ONNX Runtime on the CPU.

    Raises:
        ExportError: ONNX Runtime does not take the file; its own first line is in the message.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base with Python's
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} does not take the file: {first_line(error)}."
        ) from error
