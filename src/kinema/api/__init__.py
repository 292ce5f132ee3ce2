"""The Python face: what the command line does, as functions. The command line calls nothing else.

Each is loaded when it is first asked for: a search needs nothing of training.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinema.api.copies import duplicates as duplicates
    from kinema.api.evaluation import evaluate as evaluate
    from kinema.api.evaluation import model_store as model_store
    from kinema.api.models import encoder_name as encoder_name
    from kinema.api.models import export as export
    from kinema.api.models import load as load
    from kinema.api.opening import cache_folder as cache_folder
    from kinema.api.opening import named as named
    from kinema.api.opening import open_named as open_named
    from kinema.api.pretraining import pretrain as pretrain
    from kinema.api.reports import report as report
    from kinema.api.scans import scan as scan
    from kinema.core.progress import Steps as Steps
    from kinema.protocols.fit import FitConfig as FitConfig
    from kinema.protocols.parts import training_videos as training_videos

_HOMES = {
    "FitConfig": "kinema.protocols.fit",
    "Steps": "kinema.core.progress",
    "cache_folder": "kinema.api.opening",
    "duplicates": "kinema.api.copies",
    "encoder_name": "kinema.api.models",
    "evaluate": "kinema.api.evaluation",
    "export": "kinema.api.models",
    "load": "kinema.api.models",
    "model_store": "kinema.api.evaluation",
    "named": "kinema.api.opening",
    "open_named": "kinema.api.opening",
    "pretrain": "kinema.api.pretraining",
    "report": "kinema.api.reports",
    "scan": "kinema.api.scans",
    "training_videos": "kinema.protocols.parts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kinema.api' has no attribute '{name}'")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
