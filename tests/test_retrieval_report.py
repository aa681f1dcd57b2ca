"""retrieval_report."""

import inspect
import pydoc

import numpy as np
import pytest
from hypothesis import given

from sk_qbnorm import metrics
from sk_qbnorm.metrics import (
    average_precision,
    geometric_mean_recall,
    mean_rank,
    mean_reciprocal_rank,
    median_rank,
    recall_at_k,
    retrieval_report,
)

from .relevance import TIES, scores_and_relevance, small_gallery


@small_gallery
@pytest.mark.parametrize("ties", TIES)
@given(drawn=scores_and_relevance())
def test_the_report_holds_the_value_of_each_measure(ties, drawn):
    scores, relevance = drawn
    report = retrieval_report(relevance, scores, ties=ties)
    assert all(type(value) is float for value in report.values())
    assert report == {
        **{
            f"recall@{k}": recall_at_k(relevance, scores, k=k, ties=ties)
            for k in (1, 5, 10)
        },
        **{
            measure.__name__: measure(relevance, scores, ties=ties)
            for measure in (
                geometric_mean_recall,
                median_rank,
                mean_rank,
                mean_reciprocal_rank,
                average_precision,
            )
        },
    }


def test_public_names_of_metrics_are_sorted():
    assert metrics.__all__ == sorted(metrics.__all__)


@pytest.mark.parametrize("name", metrics.__all__)
def test_the_signature_in_help_is_short(name):
    function = getattr(metrics, name)
    assert len(str(inspect.signature(function))) < 480
    assert "numpy._typing" not in pydoc.render_doc(function)


def test_recall_is_reported_at_any_k():
    scores = np.random.default_rng(0).normal(size=(20, 30))
    report = retrieval_report(np.arange(20), scores, ks=(2, 20))
    assert {name for name in report if "@" in name} == {"recall@2", "recall@20"}
    for k in (2, 20):
        assert report[f"recall@{k}"] == recall_at_k(np.arange(20), scores, k=k)
    mean = np.sqrt(report["recall@2"] * report["recall@20"])
    assert report["geometric_mean_recall"] == pytest.approx(mean)


def test_the_report_can_be_a_frame():
    pytest.importorskip("pandas")
    scores = np.random.default_rng(0).normal(size=(20, 30))
    table = retrieval_report(np.arange(20), scores, as_frame=True)
    assert table["value"].to_dict() == retrieval_report(np.arange(20), scores)


@pytest.mark.parametrize("ks", [(), 5, "5", (0,), (1.5,)])
def test_values_of_k_that_are_no_list_of_counts_are_refused(ks):
    with pytest.raises(ValueError, match="ks"):
        retrieval_report([0, 1], np.eye(2), ks=ks)
