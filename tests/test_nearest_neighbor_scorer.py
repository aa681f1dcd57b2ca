"""NearestNeighborScorer: the best items of each row of scores."""

import numpy as np
import pytest

from sk_qbnorm import NearestNeighborScorer


def test_labels_of_the_gallery_are_predicted():
    scores = [[0.1, 0.9, 0.2], [0.8, 0.1, 0.7]]
    scorer = NearestNeighborScorer(gallery_labels=["cat", "dog", "cat"]).fit(scores)
    np.testing.assert_array_equal(scorer.predict(scores), ["dog", "cat"])
    assert scorer.score(scores, ["dog", "dog"]) == 0.5


def test_kneighbors_are_sorted_and_break_ties_by_index():
    scorer = NearestNeighborScorer(n_neighbors=2).fit([[0.0, 0.0, 0.0]])
    scores, indices = scorer.kneighbors([[0.5, 0.9, 0.9], [0.1, 0.1, 0.1]])
    np.testing.assert_array_equal(indices, [[1, 2], [0, 1]])
    np.testing.assert_array_equal(scores, [[0.9, 0.9], [0.1, 0.1]])
    _, all_three = scorer.kneighbors([[0.5, 0.9, 0.9]], n_neighbors=3)
    np.testing.assert_array_equal(all_three, [[1, 2, 0]])


@pytest.mark.parametrize("k", [1, 7, 64, 65, 100])
def test_kneighbors_are_those_of_a_stable_sort(k):
    sims = np.random.default_rng(0).integers(0, 30, size=(5, 100)).astype(np.float32)
    scores, indices = (
        NearestNeighborScorer(n_neighbors=k, n_jobs=2).fit(sims).kneighbors(sims)
    )
    order = np.argsort(-sims, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, order)
    assert scores.dtype == np.float32


def test_a_small_gallery_clips_the_neighbors_with_one_warning():
    with pytest.warns(UserWarning, match="n_neighbors=5 .* 2 ") as seen:
        scorer = NearestNeighborScorer(n_neighbors=5).fit([[0.1, 0.2]])
    assert len(seen) == 1
    assert scorer.kneighbors([[0.1, 0.2]])[1].tolist() == [[1, 0]]
