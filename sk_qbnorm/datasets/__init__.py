"""Datasets: real and synthetic data, and a loader of published matrices."""

from ._load import (
    load_digits_halves,
    load_digits_labels,
    load_emoji_name_to_keywords,
    load_emoji_names_hi_en,
    load_emoji_names_ja_en,
    load_emoji_noto_to_twemoji,
    load_emoji_vendor_nohub,
)
from ._matrix_file import load_matrix
from ._synthetic import make_hub_retrieval

__all__ = [
    "load_digits_halves",
    "load_digits_labels",
    "load_emoji_name_to_keywords",
    "load_emoji_names_hi_en",
    "load_emoji_names_ja_en",
    "load_emoji_noto_to_twemoji",
    "load_emoji_vendor_nohub",
    "load_matrix",
    "make_hub_retrieval",
]
