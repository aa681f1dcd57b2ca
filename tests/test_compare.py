"""compare."""

import numpy as np
import pytest

from sk_qbnorm import CSLS, InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import (
    hubness_skewness,
    max_k_occurrence,
    median_rank,
    paired_bootstrap_report,
    recall_at_k,
)
from sk_qbnorm.model_selection import compare

DATA = make_hub_retrieval(60, 50, 30, random_state=0)
SIMS = pairwise_similarity(DATA.queries, DATA.gallery)
BANK_SIMS = pairwise_similarity(DATA.bank_queries, DATA.gallery)
EMBEDDED = DATA.bank_queries, DATA.queries, DATA.relevant, DATA.gallery


def test_each_row_holds_what_the_metrics_measure():
    table = compare([InvertedSoftmax(), CSLS()], *EMBEDDED, ks=(1, 3), as_frame=False)
    assert list(table) == ["raw", "InvertedSoftmax", "CSLS"]
    scores = CSLS().fit(DATA.bank_queries, DATA.gallery).transform(SIMS)
    row = table["CSLS"]
    assert row["recall@3"] == recall_at_k(DATA.relevant, scores, k=3)
    assert row["median_rank"] == median_rank(DATA.relevant, scores)
    assert row["hubness_skewness"] == hubness_skewness(scores)
    assert row["max_k_occurrence"] == max_k_occurrence(scores)
    paired = paired_bootstrap_report(DATA.relevant, SIMS, scores, random_state=0)
    for end, name in (("value", "gain"), ("low", "low"), ("high", "high")):
        assert row[f"recall@1_{name}"] == pytest.approx(paired["recall@1"][end])


def test_similarities_give_the_table_of_embeddings():
    given = BANK_SIMS, SIMS, DATA.relevant
    embedded = compare({"IS": InvertedSoftmax()}, *EMBEDDED, as_frame=False)
    assert compare({"IS": InvertedSoftmax()}, *given, as_frame=False) == embedded


def test_the_table_is_a_frame_by_default():
    pytest.importorskip("pandas")
    table = compare([CSLS(), CSLS(n_neighbors=3)], *EMBEDDED)
    assert [*table.index] == ["raw", "CSLS()", "CSLS(n_neighbors=3)"]
    assert table.loc["raw", "recall@1_gain"] == 0


def test_masked_queries_are_left_out():
    mask = np.arange(50) > 4
    given = BANK_SIMS, SIMS, DATA.relevant
    table = compare([InvertedSoftmax()], *given, query_mask=mask, as_frame=False)
    assert table["raw"]["recall@1"] == recall_at_k(DATA.relevant[5:], SIMS[5:])
    assert table["raw"]["max_k_occurrence"] == max_k_occurrence(SIMS[5:])


@pytest.mark.parametrize(
    "normalizers", [CSLS(), ["CSLS"], {"raw": CSLS()}, {"a": None}]
)
def test_anything_but_named_normalizers_is_refused(normalizers):
    with pytest.raises(ValueError, match=r"normalizers|raw"):
        compare(normalizers, *EMBEDDED)


def test_embeddings_need_a_gallery():
    with pytest.raises(ValueError, match="gallery"):
        compare([CSLS()], DATA.bank_queries, SIMS, DATA.relevant, metric="cosine")


def test_the_normalizers_stay_unfitted():
    normalizer = InvertedSoftmax(copy=False)
    compare([normalizer], BANK_SIMS, SIMS, DATA.relevant, as_frame=False)
    assert not hasattr(normalizer, "gallery_bias_")
    assert normalizer.get_params()["copy"] is False
