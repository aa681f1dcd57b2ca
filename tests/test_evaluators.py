"""Runs and judgments of evaluation tools, and the search backend for MTEB."""

from types import SimpleNamespace

import numpy as np
import pytest

from sk_qbnorm import (
    InvertedSoftmax,
    MixNormalizer,
    QuerybankRetriever,
    SinkhornNormalizer,
    pairwise_similarity,
)
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.evaluators import QuerybankIndex, from_qrels, from_run, to_run
from sk_qbnorm.metrics import recall_at_k, retrieval_report

DATA = make_hub_retrieval(120, 100, 40, hubness=0.6, random_state=0)
SIMS = pairwise_similarity(DATA.queries, DATA.gallery)
SCORES = InvertedSoftmax().fit(DATA.bank_queries, DATA.gallery).transform(SIMS)
QUERIES = [f"q{row}" for row in range(100)]
ITEMS = [f"d{item}" for item in range(40)]
QRELS = {f"q{row}": {f"d{item}": 1} for row, item in enumerate(DATA.relevant)}


def test_a_run_lists_the_best_items_of_each_query():
    run = to_run(SCORES, QUERIES, ITEMS, k=5)
    for row, query in enumerate(QUERIES):
        best = np.argsort(-SCORES[row], kind="stable")[:5]
        assert [*run[query]] == [ITEMS[item] for item in best]
        assert [*run[query].values()] == [float(SCORES[row, item]) for item in best]
    assert {*to_run(SCORES, k=1000)["99"]} == {*map(str, range(40))}
    assert len(to_run(SCORES, k=1000)["0"]) == 40


def test_search_results_make_the_same_run():
    retriever = QuerybankRetriever(InvertedSoftmax(), n_neighbors=5)
    retriever.fit(DATA.bank_queries, DATA.gallery)
    scores, indices = retriever.kneighbors(DATA.queries)
    run = to_run(scores, QUERIES, ITEMS, indices=indices)
    expected = to_run(retriever.decision_function(DATA.queries), QUERIES, ITEMS, k=5)
    assert {query: [*row] for query, row in run.items()} == {
        query: [*row] for query, row in expected.items()
    }
    indices[0, 3:] = -1
    assert len(to_run(scores, QUERIES, indices=indices)["q0"]) == 3
    assert len(to_run(scores, QUERIES, indices=indices, k=2)["q0"]) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"query_ids": ["a"]},
        {"gallery_ids": ["a"] * 40},
        {"k": 0},
        {"indices": np.zeros((100, 3), dtype=int)},
        {"indices": np.zeros((100, 40))},
        {"indices": np.tile(np.arange(40), (100, 1)), "gallery_ids": ["a"]},
    ],
)
def test_names_and_indices_that_do_not_match_are_refused(options):
    with pytest.raises(ValueError, match="got"):
        to_run(SCORES, **options)


def test_a_run_becomes_result_lists_and_teaches_a_normalizer():
    pandas = pytest.importorskip("pandas")
    run = to_run(SIMS, QUERIES, ITEMS, k=10)
    lists = from_run(run, gallery_ids=ITEMS)
    np.testing.assert_array_equal(lists.items, np.argsort(-SIMS, axis=1)[:, :10])
    sims = pandas.DataFrame(SIMS, columns=ITEMS)
    scores = MixNormalizer(lists).fit().transform(sims)
    assert recall_at_k(DATA.relevant, scores) > recall_at_k(DATA.relevant, SIMS)
    some = from_run(run, ["q5", "unknown"], ITEMS)
    assert some.shape == (2, 40)
    np.testing.assert_array_equal(some.items[0], lists.items[5])
    assert (some.items[1] == -1).all()
    assert from_run({"q": {"b": 1, "a": 2}}).gallery_ids.tolist() == ["b", "a"]


def test_runs_that_hold_no_known_item_are_refused():
    with pytest.raises(ValueError, match="run"):
        from_run({})
    with pytest.raises(ValueError, match="cat"):
        from_run({"q": {"cat": 1.0}}, gallery_ids=["dog"])


def test_judgments_become_relevant_items():
    relevant = from_qrels(QRELS | {"q3": {"d1": 0}}, QUERIES)
    assert relevant[3] == []
    assert relevant[4] == [f"d{DATA.relevant[4]}"]
    assert from_qrels({}, ["q"]) == [[]]


@pytest.mark.filterwarnings("ignore")  # of its kernels
def test_ranx_agrees_on_recall_and_rank():
    ranx = pytest.importorskip("ranx")
    run = ranx.Run(to_run(SCORES, QUERIES, ITEMS))
    qrels = ranx.Qrels(QRELS)
    found = ranx.evaluate(qrels, run, ["hit_rate@5", "mrr"])
    report = retrieval_report(DATA.relevant, SCORES)
    assert found["hit_rate@5"] == pytest.approx(report["recall@5"])
    assert found["mrr"] == pytest.approx(report["mean_reciprocal_rank"])
    lists = from_run(run, QUERIES, ITEMS)
    np.testing.assert_array_equal(lists.items, np.argsort(-SCORES, axis=1))
    assert from_qrels(qrels, QUERIES) == from_qrels(QRELS, QUERIES)


def test_ir_measures_agrees_on_rank_and_precision():
    ir = pytest.importorskip("ir_measures")
    run = to_run(SCORES, QUERIES, ITEMS)
    found = ir.calc_aggregate([ir.RR, ir.AP], QRELS, run)
    report = retrieval_report(DATA.relevant, SCORES)
    assert found[ir.RR] == pytest.approx(report["mean_reciprocal_rank"])
    assert found[ir.AP] == pytest.approx(report["average_precision"])
    listed = [
        ir.ScoredDoc(query, item, score)
        for query, row in run.items()
        for item, score in row.items()
    ]
    lists = from_run(listed, QUERIES, ITEMS)
    np.testing.assert_array_equal(lists.items, np.argsort(-SCORES, axis=1))
    judged = [ir.Qrel(query, item, 1) for query, row in QRELS.items() for item in row]
    assert from_qrels(judged, QUERIES) == from_qrels(QRELS, QUERIES)


def index_of(*parts, **options):
    index = QuerybankIndex(DATA.bank_queries, **options)
    for part in parts or [slice(None)]:
        index.add_documents(DATA.gallery[part], ITEMS[part])
    return index


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_an_index_searches_by_corrected_score(metric):
    parts = slice(0, 15), slice(15, None)
    normalizer = InvertedSoftmax()
    index = index_of(*parts, normalizer=normalizer, metric=metric)
    scores, places = index.search(DATA.queries, 7, None)
    retriever = QuerybankRetriever(normalizer, metric=metric)
    retriever.fit(DATA.bank_queries, DATA.gallery)
    expected = retriever.kneighbors(DATA.queries, n_neighbors=7)
    np.testing.assert_array_equal(scores, expected[0])
    np.testing.assert_array_equal(places, expected[1])
    assert len(index.search(DATA.queries, 1000)[1][0]) == 40


def test_the_default_correction_is_careful():
    retriever = QuerybankRetriever(SinkhornNormalizer(alpha=0.5))
    retriever.fit(DATA.bank_queries, DATA.gallery)
    _, places = index_of().search(DATA.queries, 3)
    expected = retriever.kneighbors(DATA.queries, n_neighbors=3, return_score=False)
    np.testing.assert_array_equal(places, expected)


@pytest.mark.parametrize("normalizer", [None, InvertedSoftmax()])
def test_the_queries_may_serve_as_a_sample(normalizer):
    index = index_of(normalizer=normalizer, use_queries=True)
    _, places = index.search(DATA.queries, 3)
    retriever = QuerybankRetriever(MixNormalizer(DATA.queries, normalizer))
    retriever.fit(DATA.bank_queries, DATA.gallery)
    expected = retriever.kneighbors(DATA.queries, n_neighbors=3, return_score=False)
    np.testing.assert_array_equal(places, expected)
    alone = QuerybankIndex(use_queries=True)
    alone.add_documents(DATA.gallery, ITEMS)
    assert len(alone.search(DATA.queries, 3)[0]) == 100


@pytest.mark.parametrize("entries", [2**24, 90])
def test_reranking_returns_places_among_the_candidates(entries, monkeypatch):
    monkeypatch.setattr("sk_qbnorm.evaluators._mteb._BLOCK_ENTRIES", entries)
    names = dict(enumerate(QUERIES))
    candidates = {query: ITEMS[row % 9 : row % 9 + 8] for row, query in names.items()}
    candidates["q3"] = []
    index = index_of(normalizer=InvertedSoftmax())
    scores, places = index.search(DATA.queries, 4, None, candidates, names)
    assert places[3] == scores[3] == []
    listed = SCORES[10, 1:9]
    np.testing.assert_array_equal(places[10], np.argsort(-listed)[:4])
    np.testing.assert_allclose(scores[10], np.sort(listed)[::-1][:4], rtol=1e-5)


def test_an_index_without_bank_or_documents_is_refused():
    with pytest.raises(ValueError, match="no documents"):
        QuerybankIndex(DATA.bank_queries).search(DATA.queries, 3)
    index = QuerybankIndex()
    index.add_documents(DATA.gallery, ITEMS)
    with pytest.raises(ValueError, match="transductive"):
        index.search(DATA.queries, 3)
    index.clear()
    with pytest.raises(ValueError, match="no documents"):
        index.search(DATA.queries, 3)


@pytest.fixture
def mteb():
    return pytest.importorskip("mteb")


def tiny_task(mteb, top_ranked=None):
    """A retrieval task of the data above, without a download."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    class Hubs(AbsTaskRetrieval):
        metadata = mteb.TaskMetadata(
            name="Hubs",
            description="Synthetic retrieval with hubs.",
            reference="https://example.org",
            dataset={"path": "none", "revision": "1"},
            type="Retrieval",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
            date=("2024-01-01", "2024-01-01"),
            domains=["Web"],
            task_subtypes=[],
            license="cc-by-4.0",
            annotations_creators="derived",
            dialect=[],
            sample_creation="created",
            bibtex_citation="",
        )

        def load_data(self, *ignored, **options):
            texts = {"queries": QUERIES, "corpus": ITEMS}
            split = {
                name: Dataset.from_list([{"id": x, "text": x} for x in names])
                for name, names in texts.items()
            }
            split |= {"relevant_docs": QRELS, "top_ranked": top_ranked}
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return Hubs()


def tiny_encoder(mteb):
    """Look up the embedding of each text."""
    import torch
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    class Encoder(mteb.models.abs_encoder.AbsEncoder):
        def __init__(self):
            self.mteb_model_meta = ModelMeta.create_empty(
                {
                    "name": "tiny/encoder",
                    "revision": "1",
                    "similarity_fn_name": ScoringFunction.COSINE,
                }
            )

        def encode(self, inputs, **options):
            known = {"q": DATA.queries, "d": DATA.gallery}
            rows = [
                known[text[0]][int(text[1:])]
                for batch in inputs
                for text in batch["text"]
            ]
            return torch.tensor(np.array(rows))

    return Encoder()


def main_scores(mteb, model, task):
    options = {"cache": None, "show_progress_bar": False, "co2_tracker": False}
    (result,) = mteb.evaluate(model, task, **options).task_results
    return result.scores["test"][0]


@pytest.mark.filterwarnings("ignore")
def test_mteb_measures_raw_and_corrected_search(mteb):
    from mteb.models.search_wrappers import SearchEncoderWrapper

    encoder = tiny_encoder(mteb)
    raw = main_scores(mteb, encoder, tiny_task(mteb))
    assert raw["hit_rate_at_1"] == pytest.approx(
        recall_at_k(DATA.relevant, SIMS), abs=1e-5
    )
    index = QuerybankIndex(DATA.bank_queries, InvertedSoftmax())
    model = SearchEncoderWrapper(encoder, index_backend=index)
    corrected = main_scores(mteb, model, tiny_task(mteb))
    assert corrected["hit_rate_at_1"] == pytest.approx(
        recall_at_k(DATA.relevant, SCORES), abs=1e-5
    )
    assert corrected["hit_rate_at_1"] > raw["hit_rate_at_1"]
    ranked = {
        query: [*row, *(set(ITEMS) - {*row})][:20] for query, row in QRELS.items()
    }
    reranked = main_scores(mteb, model, tiny_task(mteb, ranked))
    assert reranked["hit_rate_at_1"] >= corrected["hit_rate_at_1"]


def test_runs_of_other_tools_are_read_by_their_attributes():
    scored = [SimpleNamespace(query_id="q", doc_id=f"d{i}", score=i) for i in (1, 2)]
    ids = ["d1", "d2", "d3"]
    np.testing.assert_array_equal(from_run(scored, None, ids).items, [[1, 0]])
    as_dict = SimpleNamespace(to_dict=lambda: {"q": {"d1": 1.0, "d2": 2.0}})
    np.testing.assert_array_equal(from_run(as_dict, None, ids).items, [[1, 0]])


class Tensor:
    """An array with the methods by which a tensor on a device becomes one of numpy."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = float = detach

    def numpy(self):
        return self.array


def test_embeddings_on_a_device_are_copied_to_numpy():
    _, expected = index_of().search(DATA.queries, 3)
    _, places = index_of().search(Tensor(DATA.queries), 3)
    np.testing.assert_array_equal(places, expected)
