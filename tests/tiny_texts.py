"""A corpus, tokenizers and text networks small enough for a test."""

from functools import cache

import torch

from kinema.core.spans import Tokens
from kinema.data.documents.tokenizer import Tokenizer
from kinema.networks.text import TextConfig, build_text_tower

CORPUS = [
    "The cat sat on the mat, and the cat slept on the mat until noon.",
    "A dog barked at the cat; the cat ran under the table and hid there.",
    "On Monday the dog and the cat shared one bowl of milk under the table.",
    "Café naïve jalapeño: the naïve dog drank café at noon on Monday.",
] * 4

SENTENCES = [
    "The cat sat.",
    "",
    "The dog and the cat hid under the table until noon, and then they slept on the mat.",
    "Zebra 42!",
    "  spaces   everywhere  ",
    "the cat sat on the mat and " * 30,
]

TINY = TextConfig(layers=2, width=32, heads=2, vocabulary=300, positions=24)
BLOCKS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


@cache
def tokenizer(kind="wordpiece") -> Tokenizer:
    return Tokenizer.learn(CORPUS, 300, kind=kind)


def tower(config=TINY, head=None, seed=0, **options):
    """A tower in evaluation mode whose weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_text_tower(config, head, **options).eval()


def batch(lengths=(9, 4, 1), vocabulary=300, seed=0) -> Tokens:
    """Sequences of ordinary tokens of these lengths, padded to the longest."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, vocabulary, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Tokens(ids.masked_fill(~mask, 0), mask)


def library_model(kind="bert", seed=0, **changes):
    """A small masked language model of transformers, in evaluation mode."""
    import transformers

    sizes = dict(BLOCKS, vocab_size=300, max_position_embeddings=24)
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "vocab_size": 300, "dropout": 0.2}
        sizes["max_position_embeddings"] = 24
    if kind == "modernbert":
        sizes |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = transformers.CONFIG_MAPPING[kind](**(sizes | changes))
        return transformers.AutoModelForMaskedLM.from_config(settings).eval()
