"""``python -m sk_qbnorm demo``: correct the shipped data with every normalizer."""

import numpy as np

from sk_qbnorm import datasets
from sk_qbnorm.metrics import k_occurrence
from sk_qbnorm.similarity import pairwise_similarity

from ._names import NORMALIZERS
from ._table import write_heading, write_row

_DATA = {
    "Emoji names, Hindi to English": datasets.load_emoji_names_hi_en,
    "Emoji names, Japanese to English": datasets.load_emoji_names_ja_en,
    "Emoji, name to keywords": datasets.load_emoji_name_to_keywords,
    "Emoji pictures, Noto to Twemoji": datasets.load_emoji_noto_to_twemoji,
    "Control without hubs: emoji pictures in 12-d": datasets.load_emoji_vendor_nohub,
    "Control with few hubs: halves of digits": datasets.load_digits_halves,
    "Control, solved already: digits by class": datasets.load_digits_labels,
}
_HUBS_OF = NORMALIZERS["dis"]  # the correction after which hubs are named


def demo(write=print):
    """Correct all shipped data and write tables of the results.

    Parameters
    ----------
    write : callable, default=print
        Called with one line of text at a time.
    """
    write("R@k: % of queries with a relevant item in the top k. MdR: median rank.")
    write("geom: geometric mean of the three R@k. skewness: of how often items are")
    write("in the top 10; larger values mean stronger hubs.")
    for title, load in _DATA.items():
        _show(write, title, load())


def _show(write, title, data):
    n_queries, n_gallery = len(data.queries), len(data.gallery)
    write("")
    write(
        f"{title}: {n_queries} queries, {n_gallery} gallery items, "
        f"{len(data.bank_queries)} bank queries"
    )
    write_heading(write)
    raw = pairwise_similarity(data.queries, data.gallery)
    write_row(write, "raw", raw, data.relevant)
    for normalizer_class in NORMALIZERS.values():
        normalizer = normalizer_class().fit(data.bank_queries, data.gallery)
        scores = normalizer.transform(raw)
        write_row(write, normalizer_class.__name__, scores, data.relevant)
        if normalizer_class is _HUBS_OF:
            corrected = scores
    if "gallery_text" in data:
        _name_hubs(write, raw, corrected, data.gallery_text)


def _name_hubs(write, raw, corrected, names):
    before, after = k_occurrence(raw), k_occurrence(corrected)
    write(
        f"Largest hubs, and how many of the {len(raw)} queries have them in the top 10:"
    )
    for item in np.argsort(-before, kind="stable")[:3]:
        write(f"  '{names[item]}': {before[item]} before, {after[item]} after")
    worst = np.argsort(-after, kind="stable")[:3]
    listed = ", ".join(f"'{names[item]}' ({after[item]})" for item in worst)
    write(f"  largest hubs after {_HUBS_OF.__name__}: {listed}")
