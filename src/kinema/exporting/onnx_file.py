"""The model as an ONNX file: input 'clips' [batch, C, T, H, W], outputs 'features' [batch, dim] and 'projected'."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from kinema.core.errors import ExportError, MissingExtraError
from kinema.exporting.agreement import Difference, measure
from kinema.exporting.program import Function, clip_shape, first_line, program_of, quiet
from kinema.model import Model

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
OUTPUTS = ("features", "projected")


def make_onnx(model: Model, about: str) -> tuple[bytes, Difference]:
    """The bytes of the file, run once in ONNX Runtime on the CPU and compared with the model.

    Args:
        model: what is exported.
        about: kept in the file's metadata as 'kinema'.

    Raises:
        MissingExtraError: a package of the extra kinema[onnx] is not installed.
        ExportError: it cannot be translated, or computes something else.
    """
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "onnx") from error
    function, shape = Function(model), clip_shape(model)
    program = program_of(function, shape)
    try:
        with quiet():
            translated: Any = torch.onnx.export(
                program,
                dynamo=True,
                input_names=["clips"],
                output_names=list(OUTPUTS),
                dynamic_shapes={"clips": {0: "batch"}},
                verbose=False,
            )
    except Exception as error:  # the exporter raises types of its own and of Python's
        raise ExportError(
            f"PyTorch {torch.__version__} cannot translate this encoder to ONNX: {first_line(error)}.",
            "Export to safetensors or to a program, which need no translation.",
        ) from error
    proto = translated.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = "kinema", about
    content: bytes = proto.SerializeToString()
    session = open_onnx(content)
    return content, measure(function, lambda x: session.run(list(OUTPUTS), {"clips": x.numpy()}), shape)


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
