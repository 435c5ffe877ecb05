"""Text -> tokens: words and `graphemes`, bytes, and a byte pair encoding of our own (`bpe`, trained by `bpe_train`)."""

from attention_core.tokens.tokenizers import TOKENIZERS, Token, count_tokens, tokenize

__all__ = ["TOKENIZERS", "Token", "count_tokens", "tokenize"]
