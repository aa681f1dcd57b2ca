import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sk_qbnorm import CSLS, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_ja_en
from sk_qbnorm.neighbors import margin_scores, mutual_nearest_neighbors

from . import reference

# Few values, so that many scores are equal.
MATRICES = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.sampled_from([0.1, 0.25, 0.5, 0.75]),
)
MARGINS = ["ratio", "distance"]


def random_matrices(*shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.uniform(0.1, 1, size=shape) for shape in shapes]


@given(MATRICES)
def test_mutual_neighbors_are_those_of_plain_loops(scores):
    queries, items = mutual_nearest_neighbors(scores)
    expected = reference.mutual_pairs(scores.tolist(), scores.T.tolist())
    assert [*zip(queries, items, strict=True)] == expected


def test_mutual_neighbors_use_the_scores_of_the_other_direction():
    scores, noise = random_matrices((30, 20), (20, 30))
    reverse = scores.T + noise / 2
    queries, items = mutual_nearest_neighbors(scores, reverse)
    expected = reference.mutual_pairs(scores.tolist(), reverse.tolist())
    assert expected != reference.mutual_pairs(scores.tolist(), scores.T.tolist())
    assert [*zip(queries, items, strict=True)] == expected


def test_reverse_scores_of_the_same_scores_change_nothing():
    (scores,) = random_matrices((30, 20))
    np.testing.assert_array_equal(
        mutual_nearest_neighbors(scores, scores.T), mutual_nearest_neighbors(scores)
    )


def test_each_query_and_each_item_is_in_one_pair_at_most():
    (scores,) = random_matrices((200, 100))
    queries, items = mutual_nearest_neighbors(scores)
    assert len(set(queries)) == len(set(items)) == len(queries) > 0
    assert (np.diff(queries) > 0).all()
    assert queries.dtype == items.dtype == np.int64


def test_there_may_be_no_mutual_pair():
    # Each item prefers the other query.
    queries, items = mutual_nearest_neighbors(np.eye(2), 1 - np.eye(2))
    assert queries.size == items.size == 0


def test_reverse_scores_in_the_layout_of_scores_are_refused():
    with pytest.raises(ValueError, match="reverse_scores"):
        mutual_nearest_neighbors(np.ones((3, 2)), np.ones((3, 2)))


def test_scores_of_pairs_must_be_finite():
    bad = np.array([[0.1, np.nan]])
    with pytest.raises(ValueError, match="scores"):
        mutual_nearest_neighbors(bad)
    with pytest.raises(ValueError, match="reverse_scores"):
        mutual_nearest_neighbors(np.ones((1, 2)), bad.T)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("n_neighbors", [1, 4, 12])
def test_margins_are_those_of_plain_loops(margin, n_neighbors):
    sims, bank = random_matrices((20, 12), (30, 12))
    options = {"n_neighbors": n_neighbors, "margin": margin}
    found = margin_scores(sims, bank, **options)
    expected = reference.margin(bank.tolist(), sims.tolist(), n_neighbors, margin)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    own = margin_scores(sims, **options)
    np.testing.assert_array_equal(own, margin_scores(sims, sims, **options))


def test_the_distance_margin_is_half_of_csls():
    sims, bank = random_matrices((20, 15), (30, 15))
    csls = CSLS(n_neighbors=5).fit(bank).transform(sims)
    distance = margin_scores(sims, bank, n_neighbors=5, margin="distance")
    np.testing.assert_allclose(2 * distance, csls, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("margin", MARGINS)
def test_margins_do_not_depend_on_layout_or_threads(margin):
    sims, bank = random_matrices((50, 40), (60, 40))
    expected = margin_scores(sims, bank, margin=margin, n_jobs=1)
    for layout in (np.ascontiguousarray, np.asfortranarray):
        for n_jobs in (1, 2):
            options = {"margin": margin, "n_jobs": n_jobs}
            found = margin_scores(layout(sims), layout(bank), **options)
            np.testing.assert_array_equal(found, expected)


def test_margins_keep_float32_and_do_not_change_their_input():
    sims, bank = (
        matrix.astype(np.float32) for matrix in random_matrices((9, 7), (8, 7))
    )
    for matrix in (sims, bank):
        matrix.flags.writeable = False
    found = margin_scores(sims, bank)
    assert found.dtype == np.float32
    wide = margin_scores(sims.astype(float), bank.astype(float))
    np.testing.assert_allclose(found, wide, rtol=1e-5)
    assert margin_scores(sims, bank.astype(float)).dtype == np.float64


@pytest.mark.parametrize("shapes", [[(5, 2), (5, 2)], [(5, 6), (2, 6)]])
def test_too_many_neighbors_use_all_and_warn(shapes):
    sims, bank = random_matrices(*shapes)
    with pytest.warns(UserWarning, match="n_neighbors=3"):
        found = margin_scores(sims, bank, n_neighbors=3)
    expected = reference.margin(bank.tolist(), sims.tolist(), 3, "ratio")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ratio_margins_need_positive_neighborhoods():
    sims = -np.eye(3)
    with pytest.raises(ValueError, match="margin='ratio'"):
        margin_scores(sims, n_neighbors=1)
    distance = margin_scores(sims, n_neighbors=1, margin="distance")
    np.testing.assert_array_equal(distance, sims)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"margin": "absolute"}, "margin"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"bank_sims": np.ones((4, 5))}, "bank_sims"),
        ({"bank_sims": np.full((4, 3), np.inf)}, "bank_sims"),
    ],
)
def test_bad_options_of_margins_are_named(options, name):
    with pytest.raises(ValueError, match=name):
        margin_scores(np.ones((4, 3)), **options)


@pytest.mark.parametrize("margin", MARGINS)
def test_margins_find_more_translations_than_raw_similarities(margin):
    data = load_emoji_names_ja_en()
    sims = pairwise_similarity(data.queries, data.gallery)
    bank_sims = pairwise_similarity(data.bank_queries, data.gallery)
    scores = margin_scores(sims, bank_sims, margin=margin)
    raw_right = (sims.argmax(axis=1) == data.relevant).mean()
    right = (scores.argmax(axis=1) == data.relevant).mean()
    assert right > raw_right + 0.05
    queries, items = mutual_nearest_neighbors(scores)
    precision = (data.relevant[queries] == items).mean()
    assert precision > right + 0.05
