"""Documents: from files of text to spans of tokens.

``reading`` makes the table, ``files`` knows the formats, ``spans`` draws, and ``splitting`` finds sentences.
"""

from __future__ import annotations

from kinema.data.documents.reading import claims_document, read_documents
from kinema.data.documents.splitting import count_words, passage_spans, sentence_spans, sentences
from kinema.data.documents.table import Document, Documents

__all__ = [
    "Document",
    "Documents",
    "claims_document",
    "count_words",
    "passage_spans",
    "read_documents",
    "sentence_spans",
    "sentences",
]
