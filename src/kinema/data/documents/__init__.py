"""Documents: corpora of text, their tokenizer, and the tokens that a network is to predict."""
