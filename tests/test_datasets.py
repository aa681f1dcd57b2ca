import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import (
    CSLS,
    DynamicInvertedSoftmax,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    datasets,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import hubness_skewness, recall_at_k

# R@1 in % of raw, IS, DIS, CSLS, GC and the best NNN with k=16 and alpha of 0.5, 0.75
# or 1, with the beta of the papers; skewness before and after IS. Computed once with
# plain NumPy in float64.
REFERENCE = {
    "emoji_names_hi_en": (48.3, 61.0, 61.5, 61.0, 60.3, 63.0, 7.78, 0.98),
    "emoji_names_ja_en": (39.0, 49.0, 49.0, 49.0, 46.7, 51.8, 7.51, 0.71),
    "emoji_name_to_keywords": (48.2, 60.5, 60.0, 55.5, 54.3, 60.3, 2.89, 0.79),
    "emoji_noto_to_twemoji": (49.3, 52.0, 53.2, 53.0, 49.8, 53.3, 1.88, 1.16),
    "emoji_vendor_nohub": (32.2, 28.2, 29.0, 32.6, 31.8, 33.1, 0.60, 0.86),
    "digits_labels": (98.0, 97.6, 97.4, 98.0, 95.6, 98.2, 1.11, 0.89),
    "digits_halves": (9.0, 10.0, 10.4, 9.8, 9.4, 9.8, 0.83, 0.45),
}
TABLE = [
    InvertedSoftmax(beta=20),
    DynamicInvertedSoftmax(beta=20),
    CSLS(),
    GloballyCorrected(),
]


def load(name):
    return getattr(datasets, f"load_{name}")()


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", REFERENCE)
def test_shipped_data_give_the_reference_table(name, dtype):
    data = load(name)
    bank, gallery = data.bank_queries.astype(dtype), data.gallery.astype(dtype)
    sims = pairwise_similarity(data.queries.astype(dtype), gallery)

    def percent(scores):
        return 100 * recall_at_k(data.relevant, scores)

    found = [percent(sims)]
    found += [percent(clone(n).fit(bank, gallery).transform(sims)) for n in TABLE]
    nearest = NearestNeighborNormalizer().fit(bank, gallery)
    found.append(
        max(
            percent(nearest.set_params(alpha=alpha).transform(sims))
            for alpha in (0.5, 0.75, 1)
        )
    )
    *recalls, skew_before, skew_after = REFERENCE[name]
    # Some queries are near ties, which rounding decides: up to four in float32.
    np.testing.assert_allclose(found, recalls, atol=0.2 if dtype is np.float64 else 0.4)
    assert hubness_skewness(sims) == pytest.approx(skew_before, abs=0.02)
    corrected = InvertedSoftmax(beta=20).fit(bank, gallery).transform(sims)
    assert hubness_skewness(corrected) == pytest.approx(skew_after, abs=0.02)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_parts_of_a_data_set_match(name):
    data = load(name)
    assert data.queries.dtype == data.gallery.dtype == np.float32
    assert data.bank_queries.shape[1] == data.queries.shape[1] == data.gallery.shape[1]
    assert data.relevant.shape[0] == len(data.queries)
    for text, part in {
        "bank_text": data.bank_queries,
        "query_text": data.queries,
        "gallery_text": data.gallery,
    }.items():
        if text in data:
            assert len(data[text]) == len(part)
    assert name not in data.DESCR.split("\n")[0]  # a text, not a heading
    assert "Protocol:" in data.DESCR


def test_every_loader_is_in_the_table():
    loaders = {name for name in datasets.__all__ if name.startswith("load_")}
    assert loaders == {f"load_{name}" for name in REFERENCE} | {"load_matrix"}


def recall_and_skewness(data, normalizer=None, bank="bank_queries"):
    sims = pairwise_similarity(data.queries, data.gallery)
    if normalizer is not None:
        sims = normalizer.fit(data[bank], data.gallery).transform(sims)
    return recall_at_k(data.relevant, sims), hubness_skewness(sims)


@pytest.mark.compiled
def test_hubness_of_synthetic_data_can_be_set():
    found = np.array(
        [
            recall_and_skewness(make_hub_retrieval(hubness=dial, random_state=0))
            for dial in (0, 0.25, 0.5, 0.75, 1)
        ]
    )
    assert (np.diff(found[:, 1]) > 0).all()
    assert (np.diff(found[:, 0]) <= 0).all()
    assert found[0, 1] < 1
    assert found[-1, 0] < 0.5


@pytest.mark.compiled
def test_a_bank_of_the_same_domain_helps_and_another_does_not():
    data = make_hub_retrieval(random_state=0)
    raw, _ = recall_and_skewness(data)
    own, _ = recall_and_skewness(data, InvertedSoftmax())
    other, _ = recall_and_skewness(data, InvertedSoftmax(), "bank_queries_ood")
    assert own > raw + 0.2
    assert other < raw + 0.02


def test_the_random_state_determines_synthetic_data():
    first, again = (make_hub_retrieval(9, 8, 7, random_state=3) for _ in range(2))
    other = make_hub_retrieval(9, 8, 7, random_state=4)
    np.testing.assert_array_equal(first.queries, again.queries)
    assert not np.array_equal(first.queries, other.queries)
    assert first.bank_queries.shape == first.bank_queries_ood.shape == (9, 64)
    assert first.leaning.shape == (7,)
    assert first.relevant.shape == (8,)
