"""hub_suspects, and the suspects of hubness_report."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from sk_qbnorm import InvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import hub_suspects, hubness_report, k_occurrence


def scores_with_a_hub(n_queries=200, n_gallery=400, item=7):
    scores = np.random.default_rng(0).random((n_queries, n_gallery))
    scores[: n_queries // 2, item] = 2
    return scores


def test_a_planted_hub_is_the_only_suspect_among_random_scores():
    suspects = hub_suspects(scores_with_a_hub(), share=0)
    assert [*suspects] == [7]
    found = suspects[7]
    count = k_occurrence(scores_with_a_hub())[7]
    assert found["k_occurrence"] == count
    assert found["share"] == count / 200
    expected = binom.sf(count - 1, 200, 10 / 400)
    assert found["p_value"] == pytest.approx(expected)
    harmonic = (1 / np.arange(1, 401)).sum()
    assert found["adjusted_p_value"] == pytest.approx(expected * 400 * harmonic)


def test_random_scores_have_suspects_no_more_often_than_the_rate():
    random = np.random.default_rng(0)
    found = [hub_suspects(random.random((80, 60)), k=3, share=0) for _ in range(200)]
    assert np.mean([len(each) > 0 for each in found]) <= 0.05 + 0.03


def test_a_larger_share_has_fewer_suspects():
    data = make_hub_retrieval(random_state=0)
    sims = pairwise_similarity(data.bank_queries, data.gallery)
    sizes = [len(hub_suspects(sims, share=share)) for share in (0, 0.05, 0.2, 0.9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2]
    assert sizes[3] == 0


def test_suspects_are_named_and_sorted_by_frequency():
    scores = scores_with_a_hub()
    scores[:150, 9] = 3
    names = [f"g{item}" for item in range(400)]
    assert [*hub_suspects(scores, gallery_ids=names)] == ["g9", "g7"]
    frame = hub_suspects(pd.DataFrame(scores, columns=names), as_frame=True)
    assert list(frame.index) == ["g9", "g7"]
    best = np.argsort(-scores, axis=1)[:, :10]
    assert [*hub_suspects(best, n_gallery=400)] == [9, 7]
    for bad in (names[1:], [*names[1:], "g1"]):
        with pytest.raises(ValueError, match="gallery_ids"):
            hub_suspects(scores, gallery_ids=bad)


def test_the_report_lists_suspects_before_and_after():
    data = make_hub_retrieval(random_state=0)
    gallery = np.vstack([data.gallery, data.bank_queries.mean(axis=0)])
    names = [*range(1000, 1000 + len(gallery))]
    sims = pairwise_similarity(data.bank_queries, gallery)
    after = InvertedSoftmax().fit(sims).transform(sims)
    plain = hubness_report(sims, after)
    report = hubness_report(sims, after, suspects=True, gallery_ids=names)
    suspects = report.pop("suspects")
    assert report == plain
    assert next(iter(suspects["before"])) == names[-1]
    assert names[-1] not in suspects["after"]
    assert [*hubness_report(sims, suspects=True)["suspects"]] == ["before"]
    frame = hubness_report(sims, suspects=True, as_frame=True)
    assert next(iter(frame.attrs["suspects"]["before"])) == len(gallery) - 1


@pytest.mark.parametrize(
    "settings",
    [{"share": -0.1}, {"share": 1}, {"false_discovery_rate": 0}, {"k": 0}],
)
def test_rates_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        hub_suspects(scores_with_a_hub(), **settings)
