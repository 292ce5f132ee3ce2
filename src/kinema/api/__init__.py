"""The Python face: what the command line does, as functions. The command line calls nothing else."""

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
