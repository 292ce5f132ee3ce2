"""The recipes of sentence embeddings: DeCLUTR and SimCSE."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kinema.data.documents.config import DocumentsConfig
from kinema.methods import DeCLUTRConfig, SimCSEConfig
from kinema.networks.text.config import bert
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.training.settings import OptimiserConfig

ADAMW = OptimiserConfig("adamw", lr=5e-5, weight_decay=0.1, schedule="slanted", warmup_epochs=0, clip_norm=1.0)
"""DeCLUTR's optimiser: a slanted triangle, gradients clipped to norm 1."""

LINEAR = OptimiserConfig("adamw", lr=3e-5, weight_decay=0.0, schedule="linear", warmup_epochs=0, clip_norm=1.0)
"""SimCSE's optimiser: what its authors' script sets, and the defaults of the trainer that it calls."""


def small_declutr() -> Plan:
    """DeCLUTR for two CPU cores, from nothing: a BERT of 2 layers of width 128, spans of 8 to 48 tokens, 20 epochs.

    A network that starts from nothing learns at a rate of 1e-3, where the paper's, which starts from RoBERTa's weights,
    takes 5e-5. With spans this short most documents of a page are long enough.
    """
    config = DeCLUTRConfig(min_length=8, max_length=48)
    return _small(config, epochs=20, lr=1e-3)


def paper_declutr() -> Plan:
    """The setting of the paper: 16 documents a batch, A = P = 2, spans of 32 to 510 tokens, one epoch of AdamW at 5e-5.

    It starts from the weights of a masked language model: ``--weights FOLDER``, the paper's is RoBERTa's. The released
    configuration has batches of 4. Needs a GPU; not run here.
    """
    return _paper(DeCLUTRConfig(), batch_size=16, optimiser=ADAMW)


def small_simcse() -> Plan:
    """SimCSE for two CPU cores, from nothing: a BERT of 2 layers of width 128, a sentence a document, 20 epochs."""
    return _small(SimCSEConfig(), epochs=20, lr=1e-3)


def paper_simcse() -> Plan:
    """The setting of SimCSE without labels on BERT-base: batches of 64 sentences, τ = .05, one epoch from 3e-5 to zero.

    It starts from the weights of a masked language model: ``--weights FOLDER``. Needs a GPU; not run here.
    """
    return _paper(SimCSEConfig(), batch_size=64, optimiser=LINEAR)


def _small(config: Any, *, epochs: int, lr: float) -> Plan:
    return Plan(
        config,
        epochs=epochs,
        optimiser=replace(ADAMW, lr=lr, weight_decay=0.01),
        data=DocumentsConfig(),
        encoder=bert("tiny", positions=128),
        batch_size=16,
    )


def _paper(config: Any, *, batch_size: int, optimiser: OptimiserConfig) -> Plan:
    return Plan(
        config,
        epochs=1,
        optimiser=optimiser,
        data=DocumentsConfig(vocabulary=30522),
        encoder=replace(bert("base", vocabulary=30522), positions=512),
        batch_size=batch_size,
        precision="16-mixed",
    )


DECLUTR = MethodEntry(
    DeCLUTRConfig,
    "Giorgi et al. 2021, arXiv 2006.03659",
    ("text",),
    "spans of one document find one another, a masked language model beside them: sentence embeddings",
    "DeCLUTR",
    {"small": small_declutr, "paper": paper_declutr},
    base=False,
    beside=False,
    next_step="kinema embed {run} {data}",
)
SIMCSE = MethodEntry(
    SimCSEConfig,
    "Gao et al. 2021, arXiv 2104.08821",
    ("text",),
    "a sentence finds itself under another mask of dropout: sentence embeddings",
    "SimCSE",
    {"small": small_simcse, "paper": paper_simcse},
    base=False,
    beside=False,
    next_step="kinema embed {run} {data}",
)
