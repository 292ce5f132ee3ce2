"""A corpus that is quick to learn from, and a network of text that is nothing but a table of vectors."""

import pytest
import torch
from tiny_corpus import write_corpus
from torch import nn

from kinema.data.documents import read_documents


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    """Ten documents in two classes, of 4 to 40 sentences."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "documents")


@pytest.fixture(scope="session")
def table(corpus_folder):
    return read_documents(corpus_folder)


@pytest.fixture(scope="session")
def tokenizer(table):
    from kinema.data.documents.tokenizer import Tokenizer

    return Tokenizer.learn(table.texts(), 128)


class TableOfVectors(nn.Module):
    """The mean of a vector for each token: [N, L] to [N, dim]."""

    def __init__(self, size, dim):
        super().__init__()
        self.vectors, self.dim, self.longest = nn.Embedding(size, dim), dim, 0

    def forward(self, tokens):
        self.longest = max(self.longest, tokens.ids.shape[1])
        states = self.vectors(tokens.ids) * tokens.mask[..., None]
        return states.sum(dim=1) / tokens.mask.sum(dim=1, keepdim=True)


class VectorTower(nn.Module):
    def __init__(self, size, positions=32, dim=8):
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.positions = TableOfVectors(size, dim), positions


@pytest.fixture
def tower(tokenizer):
    return VectorTower(tokenizer.size)
