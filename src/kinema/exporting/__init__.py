"""Models that leave the house: a folder that ``kinema.load`` reads, an ONNX file, or a program of PyTorch."""

from kinema.exporting.export import FORMATS, Exported, check_request, export_model
from kinema.exporting.folder import is_export, load_export, views_in

__all__ = ["FORMATS", "Exported", "check_request", "export_model", "is_export", "load_export", "views_in"]
