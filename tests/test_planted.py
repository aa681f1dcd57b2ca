"""The benchmark of planted hubs, and its table in the docs."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import attacks, planted
from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)
from sk_qbnorm.datasets import make_hub_retrieval

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.filterwarnings("ignore:The cap of"),
    pytest.mark.filterwarnings("ignore:Sinkhorn did not converge"),
    pytest.mark.filterwarnings("ignore:n_neighbors="),
]
TABLE = Path(__file__).parent.parent / "docs" / "results" / "planted.md"
DATA = make_hub_retrieval(240, 80, 60, n_features=12, random_state=0)
SCENE = planted._scene("small", DATA)


@pytest.mark.parametrize(
    "normalizer",
    [
        InvertedSoftmax(beta=5),
        InvertedSoftmax(beta=20, influence_limit=3),
        NearestNeighborNormalizer(n_neighbors=4),
        CSLS(n_neighbors=4),
        SinkhornNormalizer(alpha=0.5),
        CappedNormalizer(InvertedSoftmax(beta=5), {1: 0.9}),
        CappedNormalizer(None, {1: 0.9}),
    ],
    ids=str,
)
def test_the_gradient_of_a_known_bias_is_that_of_the_added_item(normalizer):
    bank = SCENE.bank
    known = attacks.KnownBias(normalizer.fit(bank, SCENE.gallery), bank)
    item = attacks.unit(np.random.default_rng(0).normal(size=(1, 12)))
    biases, slopes = known(item)
    added = attacks.added_biases(normalizer, bank, item)
    np.testing.assert_allclose(biases, added, atol=1e-9)
    slope = slopes[0]
    slope -= slope @ item[0] * item[0]  # along the sphere
    step = 1e-6 * attacks.unit(slope)
    ahead, behind = (known(attacks.unit(item + each))[0][0] for each in (step, -step))
    assert (ahead - behind) / 2e-6 == pytest.approx(np.linalg.norm(slope), rel=1e-3)


def test_the_known_bias_has_the_floor_of_the_caps():
    capped = CappedNormalizer(NearestNeighborNormalizer(alpha=0.3))
    known = attacks.KnownBias(capped.fit(SCENE.bank, SCENE.gallery), SCENE.bank)
    items = attacks.unit(SCENE.known[:5] + SCENE.known.mean(axis=0))
    biases, slopes = known(items)
    added = attacks.added_biases(capped, SCENE.bank, items)
    np.testing.assert_allclose(biases, added, atol=1e-9)
    assert (slopes * items).sum() > 0


def test_the_gradient_for_a_mix_leads_to_a_larger_bias():
    bank, mix = SCENE.bank[100:], MixNormalizer(SCENE.bank[:100])
    capped = CappedNormalizer(mix, {1: 0.9}).fit(bank, SCENE.gallery)
    item = attacks.unit(np.random.default_rng(0).normal(size=(1, 12)))
    added = attacks.added_biases(capped, bank, item)
    for fitted in (capped, capped.normalizer_):
        known = attacks.KnownBias(fitted, bank)
        biases, slopes = known(item)
        np.testing.assert_allclose(biases, added, atol=1e-9)
        assert known(attacks.unit(item + 0.1 * slopes))[0][0] > biases[0]


def test_a_planted_item_takes_most_queries_and_stays_near_its_base():
    known, gallery, random = SCENE.known, SCENE.gallery, np.random.default_rng(0)
    beat = (known @ gallery.T).max(axis=1)
    starts = attacks.starts_of(known, random)
    item = attacks.planted(known, beat, starts)
    assert (known @ item >= beat).mean() > 0.5
    near = attacks.planted(known, beat, starts, near=(gallery[0], 0.95))
    assert near @ gallery[0] >= 0.95 - 1e-9
    assert (known @ near >= beat).mean() <= (known @ item >= beat).mean()


def test_a_gap_keeps_the_order_of_real_items():
    gap = planted._with_gap(SCENE)
    np.testing.assert_allclose(
        gap.queries @ gap.gallery.T, 0.75 * SCENE.queries @ SCENE.gallery.T - 0.25
    )
    np.testing.assert_allclose(np.linalg.norm(gap.bank, axis=1), 1)


def test_every_table_has_a_row_per_normalizer_or_data_set(monkeypatch, capsys):
    names = ("raw", "DIS", "Mix", "raw + caps", "Mix + caps")
    chosen = {name: planted.NORMALIZERS[name] for name in names}
    monkeypatch.setattr(planted, "NORMALIZERS", chosen)
    monkeypatch.setattr(planted, "RATED", ["raw + caps"])
    monkeypatch.setattr(attacks, "_STEPS", 5)
    found = planted.tables([SCENE], n_draws=2)
    assert "small" in capsys.readouterr().out
    for table in ("attacks", "poisons"):
        assert [line.split(" | ")[0] for line in found[table][2:]] == [
            f"| {name}" for name in names
        ]
    assert len(found["biases"]) == 2 + len(names) - 1  # without DIS
    assert [line.split(" | ")[0] for line in found["rates"][2:]] == ["| small"]
    assert "near copies" in planted.text_of(found)


def rows_of_the_docs(title):
    """The table below a line that starts with the title: a dict of dicts of floats."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(title)) + 2
    last = lines.index("", first) if "" in lines[first:] else len(lines)
    head, _, *rows = lines[first:last]
    columns = [cell.strip() for cell in head.strip("|").split("|")][1:]
    found = {}
    for line in rows:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        pairs = zip(columns, cells, strict=True)
        found[name] = {column: float(cell) for column, cell in pairs if cell}
    return found


def test_the_tables_in_the_docs_support_the_guide():
    rows = rows_of_the_docs("R@1 without an attack, and")
    assert [*rows] == [*planted.NORMALIZERS]
    for name in ("IS", "Sinkhorn"):
        assert rows[name]["universal"] < 1
    for name in ("CSLS", "NNN", "Careful", "Mix"):
        assert rows[name]["universal"] > 5
    for name in planted.CAPPED:
        assert rows[name]["adaptive"] < 2
        assert 10 <= rows[name]["100 hubs"] <= 20
        assert rows[name]["R@1"] >= rows[name.removesuffix(" + caps")]["R@1"]
    for of_data in rows_of_the_docs("The universal item").values():
        assert max(of_data[name] for name in planted.CAPPED) < 1
    for of_data in rows_of_the_docs("R@1 without an attack per data set").values():
        for name in planted.CAPPED:
            assert of_data[name] > of_data[name.removesuffix(" + caps")] - 0.5
    for of_data in rows_of_the_docs("Share of fresh queries").values():
        assert max(of_data.values()) == of_data["bound"]
    poisoned = rows_of_the_docs("Poisoned banks")
    assert poisoned["IS"]["one copy"] < poisoned["IS"]["no copy"] / 2
    limited = poisoned["IS, limit 50"]
    assert limited["one copy"] == limited["no copy"]
    alone = rows_of_the_docs("Share of the test queries")
    assert alone["IS + caps"]["taken by one ordinary item"] > 20
