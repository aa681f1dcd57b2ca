"""retrieval_report."""

import inspect
import pydoc

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
