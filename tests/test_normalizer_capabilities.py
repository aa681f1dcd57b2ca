"""What each normalizer can do, as the table of the guide states it."""

import numpy as np
import pytest
from sklearn.base import clone

import sk_qbnorm as qb
from sk_qbnorm.datasets import make_hub_retrieval

from .pages import DOCS

data = make_hub_retrieval(60, 40, 30, random_state=0)
BANK, GALLERY = data.bank_queries, data.gallery
SIMS = qb.pairwise_similarity(data.queries, GALLERY)
NORMALIZERS = {
    "IS": qb.InvertedSoftmax(),
    "DIS": qb.DynamicInvertedSoftmax(),
    "CSLS": qb.CSLS(),
    "NNN": qb.NearestNeighborNormalizer(),
    "GC": qb.GloballyCorrected(),
    "Sinkhorn": qb.SinkhornNormalizer(max_iter=50),
    "Lists": qb.ListSinkhornNormalizer(n_listed=3),
    "Mix": qb.MixNormalizer(data.queries[:20]),
    "DualIS": qb.DualInvertedSoftmax(),
    "DualDIS": qb.DualDynamicInvertedSoftmax(),
}


def fit_in_chunks(normalizer):
    normalizer.partial_fit(BANK[:30], GALLERY).partial_fit(BANK[30:], GALLERY)


def change_the_gallery(normalizer):
    normalizer.fit(BANK, GALLERY[:20]).add_gallery(BANK, GALLERY[20:])
    normalizer.remove_gallery([3], BANK, np.delete(GALLERY, 3, axis=0))


def fit_dask_arrays(normalizer):
    da = pytest.importorskip("dask.array")
    blocks = da.from_array(GALLERY, chunks=(15, -1))
    normalizer.fit(da.from_array(BANK, chunks=(30, -1)), blocks)


def export(normalizer):
    normalizer.fit(BANK, GALLERY).index_bias()


def add_to_an_index(normalizer):
    normalizer.fit(BANK, GALLERY[:20]).bias_of(BANK, GALLERY[20:])


def rescore(normalizer):
    indices = np.argsort(-SIMS, axis=1)[:, :10]
    shortlist = np.take_along_axis(SIMS, indices, axis=1)
    normalizer.fit(BANK, GALLERY).rescore(shortlist, indices)


def fit_a_gallery_bank(normalizer):
    normalizer.fit(BANK, GALLERY, gallerybank=data.bank_gallery)


def activate(normalizer):
    assert normalizer.fit(BANK, GALLERY).activation_mask_.any()


CAPABILITIES = {
    "`partial_fit`": fit_in_chunks,
    "`add_gallery`": change_the_gallery,
    "`fit` on Dask": fit_dask_arrays,
    "`index_bias`": export,
    "`bias_of`": add_to_an_index,
    "`rescore`": rescore,
    "`fit(..., gallerybank=)`": fit_a_gallery_bank,
    "`activation_mask_`": activate,
}


def can(normalizer, attempt):
    try:
        attempt(clone(normalizer))
    except (AttributeError, TypeError, ValueError):  # missing, or refused
        return "no"
    return "yes"


def table_of_the_guide():
    text = (DOCS / "guide" / "normalizers.md").read_text(encoding="utf-8")
    lines = text.partition("## Capabilities\n")[2].partition("\n## ")[0].splitlines()
    rows = [line.strip("| ").split("|") for line in lines if line.startswith("|")]
    names, _, *rows = [[cell.strip() for cell in row] for row in rows]
    return names, {label: answers for label, *answers in rows}


@pytest.mark.compiled
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_normalizer_can_do_what_the_guide_says(capability):
    names, rows = table_of_the_guide()
    assert names[-len(NORMALIZERS) :] == [*NORMALIZERS]
    (answers,) = (rows[label] for label in rows if label.startswith(capability))
    found = [can(each, CAPABILITIES[capability]) for each in NORMALIZERS.values()]
    assert found == answers


def test_every_row_of_the_guide_is_checked():
    _, rows = table_of_the_guide()
    assert len(rows) == len(CAPABILITIES)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["IS", "Sinkhorn"])
def test_a_dynamic_normalizer_can_do_what_the_wrapped_normalizer_can(name):
    inner = NORMALIZERS[name]
    outer, expected = qb.DynamicNormalizer(inner), {"`activation_mask_`": "yes"}
    expected["`fit(..., gallerybank=)`"] = "no"
    for capability, attempt in CAPABILITIES.items():
        answer = expected.get(capability, can(inner, attempt))
        assert can(outer, attempt) == answer, capability


@pytest.mark.parametrize("name", NORMALIZERS)
def test_scores_of_a_query_do_not_depend_on_other_queries(name):
    normalizer = clone(NORMALIZERS[name]).fit(BANK, GALLERY)
    one_by_one = [normalizer.transform(row[None]) for row in SIMS]
    np.testing.assert_array_equal(np.vstack(one_by_one), normalizer.transform(SIMS))
