"""Properties of all normalizers, for any numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sk_qbnorm import InvertedSoftmax, NearestNeighborNormalizer, pairwise_similarity

from .cases import ALL, NORMALIZERS, bank_and_sims, expected, forms_of

pytestmark = pytest.mark.small_blocks
each_normalizer = pytest.mark.parametrize("normalizer", ALL.values(), ids=ALL)


def assert_close(scores, others):
    np.testing.assert_allclose(scores, others, rtol=1e-12, atol=1e-12)


def assert_keeps_order(sims, scores, strictly=True):
    """Check that clearly better items stay better, or not worse unless `strictly`."""
    better = sims[:, :, None] > sims[:, None, :] + 1e-9  # by more than rounding
    after = scores[:, :, None] - scores[:, None, :]
    assert (after[better] > 0 if strictly else after[better] >= 0).all()


@pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=NORMALIZERS)
@given(drawn=bank_and_sims(), data=st.data())
def test_without_hubs_the_ranking_does_not_change(normalizer, drawn, data):
    bank, sims = drawn
    values = bank[:, 0]
    no_hubs = np.stack(
        [data.draw(st.permutations(values.tolist())) for _ in range(sims.shape[1])],
        axis=1,
    )
    assert_keeps_order(sims, normalizer.fit(no_hubs).transform(sims))


@each_normalizer
@given(drawn=bank_and_sims())
def test_interchangeable_items_and_bank_queries_keep_the_ranking(normalizer, drawn):
    # No hubs are not enough for Sinkhorn: it prefers items whose bank queries are close
    # to fewer other items.
    _, sims = drawn
    n_gallery = sims.shape[1]
    around = [np.roll(sims[0], shift) for shift in range(n_gallery)]
    assert_keeps_order(sims, normalizer.fit(np.array(around)).transform(sims))


@each_normalizer
@given(drawn=bank_and_sims(), data=st.data())
def test_the_order_of_the_bank_does_not_matter(normalizer, drawn, data):
    bank, sims = drawn
    rows = data.draw(st.permutations(range(len(bank))))
    assert_close(
        normalizer.fit(bank).transform(sims), normalizer.fit(bank[rows]).transform(sims)
    )


@each_normalizer
@given(drawn=bank_and_sims(), data=st.data())
def test_permuting_the_gallery_permutes_the_scores(normalizer, drawn, data):
    bank, sims = drawn
    if hasattr(normalizer, "n_activation") or hasattr(normalizer, "n_listed"):
        # Ties for a place go to the smaller index: make them rare.
        bank = bank + np.linspace(0, 1e-3, bank.size).reshape(bank.shape)
        sims = sims + np.linspace(0, 1e-3, sims.size).reshape(sims.shape)
    columns = data.draw(st.permutations(range(sims.shape[1])))
    scores = normalizer.fit(bank).transform(sims)
    assert_close(
        scores[:, columns], normalizer.fit(bank[:, columns]).transform(sims[:, columns])
    )


@pytest.mark.parametrize(
    "normalizer",
    [
        NORMALIZERS["IS"],
        NearestNeighborNormalizer(alpha=1, n_neighbors=1, metric="precomputed"),
        ALL["Sinkhorn"],
    ],
    ids=["IS", "NNN", "Sinkhorn"],
)
@given(drawn=bank_and_sims(), shift=st.integers(-16, 16))
def test_shifting_an_item_in_bank_and_queries_keeps_its_scores(
    normalizer, drawn, shift
):
    bank, sims = drawn
    scores = normalizer.fit(bank).transform(sims)
    bank[:, 0] += shift / 8
    sims[:, 0] += shift / 8
    assert_close(normalizer.fit(bank).transform(sims), scores)


@pytest.mark.parametrize("name", ["IS", "DIS", "GC", "CSLS", "Sinkhorn"])
@given(drawn=bank_and_sims())
def test_doubling_the_bank_changes_nothing(name, drawn):
    bank, sims = drawn
    once = clone(ALL[name]).fit(bank)
    twice = clone(ALL[name])
    if name == "CSLS":
        twice.set_params(n_neighbors=2)
        # The bank is doubled but not the gallery: compare the effect on the ranking.
        twice.fit(np.vstack([bank, bank]))
        assert_close(twice.gallery_bias_, once.gallery_bias_)
    else:
        scores = twice.fit(np.vstack([bank, bank])).transform(sims)
        assert_close(scores, once.transform(sims))


@pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=NORMALIZERS)
@given(drawn=bank_and_sims(max_rows=12), data=st.data())
def test_the_fit_does_not_depend_on_the_split_of_the_bank_or_threads(
    normalizer, drawn, data
):
    bank, sims = drawn
    whole = clone(normalizer).fit(bank)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(bank)))))
    parts = [part for part in np.split(bank, cuts) if len(part)]
    split = clone(normalizer)
    for part in parts:
        split.partial_fit(part)
    assert split.n_bank_seen_ == whole.n_bank_seen_
    assert_close(split.transform(sims), whole.transform(sims))
    threaded = clone(normalizer).set_params(n_jobs=3).fit(bank)
    np.testing.assert_array_equal(threaded.transform(sims), whole.transform(sims))


@given(seed=st.integers(0, 100), alpha=st.sampled_from([0, 0.5, 1]))
@pytest.mark.parametrize(
    "normalizer_class", [InvertedSoftmax, NearestNeighborNormalizer]
)
def test_augmented_vectors_give_the_corrected_scores(normalizer_class, seed, alpha):
    random = np.random.default_rng(seed)
    bank, queries = random.normal(size=(2, 20, 3))
    gallery = random.normal(size=(6, 3))
    normalizer = normalizer_class(alpha=alpha, metric="dot").fit(bank, gallery)
    bias = alpha * normalizer.gallery_bias_
    augmented_gallery = np.column_stack([gallery, -bias])
    augmented_queries = np.column_stack([queries, np.ones(len(queries))])
    assert_close(
        augmented_queries @ augmented_gallery.T,
        normalizer.transform(pairwise_similarity(queries, gallery, "dot")),
    )


@each_normalizer
@given(drawn=bank_and_sims())
def test_float32_agrees_with_float64_up_to_rounding(normalizer, drawn):
    bank, sims = drawn
    wide = normalizer.fit(bank).transform(sims)
    narrow = normalizer.fit(bank.astype(np.float32)).transform(sims.astype(np.float32))
    np.testing.assert_allclose(narrow, wide, rtol=1e-5, atol=1e-6)


@each_normalizer
@given(drawn=bank_and_sims())
def test_layout_and_container_do_not_matter_and_input_is_unchanged(normalizer, drawn):
    bank, sims = drawn
    scores = normalizer.fit(bank).transform(sims)
    for form in forms_of(sims):
        given_bank, given_sims = forms_of(bank)[form], forms_of(sims)[form]
        result = clone(normalizer).fit(given_bank).transform(given_sims)
        np.testing.assert_array_equal(result, scores, err_msg=form)
        np.testing.assert_array_equal(given_bank, bank, err_msg=form)
        np.testing.assert_array_equal(given_sims, sims, err_msg=form)


@each_normalizer
def test_integers_give_the_scores_of_floats(normalizer):
    bank, sims = np.random.default_rng(0).integers(-3, 4, size=(2, 6, 4))
    np.testing.assert_array_equal(
        normalizer.fit(bank).transform(sims),
        normalizer.fit(bank.astype(float)).transform(sims.astype(float)),
    )


@each_normalizer
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(drawn=bank_and_sims(scale=500.0))
def test_extreme_similarities_give_finite_scores_of_the_formula(
    normalizer, dtype, drawn
):
    bank, sims = (matrix.astype(dtype) for matrix in drawn)  # beta * s up to 1e4
    scores = normalizer.fit(bank).transform(sims)
    assert np.isfinite(scores).all()
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    formula = expected(normalizer, bank, sims)
    np.testing.assert_allclose(scores, formula, rtol=rtol, atol=500 * rtol)


@pytest.mark.parametrize("name", ["IS", "DIS"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(drawn=bank_and_sims(scale=500.0))
def test_extreme_probabilities_stay_finite_and_never_reverse_a_ranking(
    name, dtype, drawn
):
    bank, sims = (matrix.astype(dtype) for matrix in drawn)
    normalizer = clone(NORMALIZERS[name]).fit(bank)
    scores = normalizer.transform(sims)
    probabilities = normalizer.set_params(output="probability").transform(sims)
    assert np.isfinite(probabilities).all()
    assert_keeps_order(scores, probabilities, strictly=False)


@pytest.mark.parametrize("name", ["IS", "DIS"])
@given(drawn=bank_and_sims())
def test_both_outputs_give_the_same_ranking(name, drawn):
    bank, sims = drawn
    normalizer = clone(NORMALIZERS[name]).fit(bank)
    scores = normalizer.transform(sims)
    probabilities = normalizer.set_params(output="probability").transform(sims)
    assert_keeps_order(scores, probabilities)
