"""GallerySimilarity; the values it returns are tested with pairwise_similarity."""

import numpy as np
import pytest
from sklearn.base import clone

from sk_qbnorm import GallerySimilarity, pairwise_similarity

QUERIES, GALLERY = np.split(np.random.default_rng(0).normal(size=(12, 3)), [7])
SIMS = np.random.default_rng(0).normal(size=(5, 4))


def test_the_transformer_and_its_clones_do_not_copy_the_gallery():
    similarity = GallerySimilarity(GALLERY).fit(QUERIES)
    for each in (similarity, clone(similarity).fit(QUERIES)):
        assert np.shares_memory(each.gallery_, GALLERY)


def test_clones_share_the_gallery_and_keep_the_output():
    gallery = np.eye(3)
    similarity = GallerySimilarity(gallery).set_output(transform="pandas").fit(gallery)
    twin = clone(similarity)
    assert twin.gallery is gallery
    assert not hasattr(twin, "gallery_")
    assert list(twin.fit_transform(gallery).columns) == [
        "gallery0",
        "gallery1",
        "gallery2",
    ]


def test_a_failed_fit_leaves_the_fitted_estimator_unchanged():
    similarity = GallerySimilarity(SIMS).fit(SIMS)
    with pytest.raises(ValueError, match="features"):
        similarity.fit(SIMS[:, :3])
    np.testing.assert_array_equal(
        similarity.transform(SIMS), pairwise_similarity(SIMS, SIMS)
    )
