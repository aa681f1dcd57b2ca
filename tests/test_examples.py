import contextlib
import functools
import io
import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
pytestmark = pytest.mark.compiled


@functools.cache
def run(stem, *arguments):
    """Run an example once; return its variables, output and figures."""
    if "faiss" in stem:
        pytest.importorskip("faiss")
    path, printed = FOLDER / f"{stem}.py", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [path.name, *arguments])
        names = runpy.run_path(str(path))
    figures = [plt.figure(number) for number in plt.get_fignums()]
    return names, printed.getvalue(), figures


@pytest.mark.parametrize("stem", EXAMPLES)
def test_an_example_prints_recall_and_draws_one_figure(stem):
    _, printed, figures = run(stem)
    assert re.search(r"R@1\b", printed)
    (figure,) = figures  # the gallery shows one
    assert all(
        axes.has_data() and axes.get_xlabel() + axes.get_title("left")
        for axes in figure.axes
    )


def test_the_hub_figure_is_saved_to_the_file_that_is_passed(tmp_path):
    figure = tmp_path / "figure.png"
    names, _, _ = run("plot_hub_by_name", str(figure))
    assert figure.read_bytes().startswith(b"\x89PNG")
    before, after = names["before"], names["after"]
    assert before.max() > len(names["data"].queries) / 2
    assert after.max() < before.max() / 10


# The tests below check the statements in the text of the examples.


def test_the_gain_exceeds_noise_with_hubs_and_not_without():
    _, printed, _ = run("plot_reading_hubness")
    found = re.findall(r"gains (\S+) points, 95% interval (\S+) to (\S+)", printed)
    with_hubs, without = np.array(found, dtype=float)
    assert (with_hubs > 0).all()
    _, low, high = without
    assert low < 0 < high


def test_every_beta_beats_no_correction_but_the_order_changes():
    names, _, _ = run("plot_grid_search_beta")
    orders = []
    for recalls in names["recalls"].values():
        assert (recalls[1:] > recalls[0] + 4).all()
        orders.append(recalls.argsort().tolist())
    assert orders[0] != orders[1]
    assert names["chosen"] > 0


def test_a_correction_is_chosen_for_names_and_none_for_digits():
    names, _, _ = run("plot_pipeline_labels")
    scores, chosen = names["scores"], names["chosen"]
    assert chosen["digits"] == "no correction" != chosen["names"]
    assert scores["names", chosen["names"]] > scores["names", "no correction"] + 2
    assert scores["digits", "no correction"] > 95
    right = names["right"]
    after, before = (
        names["predicted"]["names", name] == right
        for name in (chosen["names"], "no correction")
    )
    persons = right == "person"
    assert after[persons].mean() > before[persons].mean() + 0.2
    assert after[right == "hand"].mean() < before[right == "hand"].mean()


def test_random_and_stratified_banks_help_and_foreign_banks_harm():
    names, _, _ = run("plot_querybanks")
    for title, values in names["results"].items():
        inverted, dynamic = (
            {bank: values[bank, method] for bank in names["BANKS"]}
            for method in names["METHODS"]
        )
        assert inverted["foreign"].mean() < dynamic["foreign"].mean() < 0
        for bank in ("random", "stratified"):
            assert inverted[bank].mean() > 0
            assert dynamic[bank].mean() > 0
        assert dynamic["adversarial"].mean() > 0
        by_pictures = title.startswith("Noto")
        assert (inverted["adversarial"].mean() < 0) == by_pictures
        gap = dynamic["adversarial"].mean() - inverted["adversarial"].mean()
        assert (gap > 0) == by_pictures


def test_own_banks_help_with_hubs_and_topic_banks_harm_without():
    names, _, _ = run("plot_which_helps_when")
    strong, some, none = names["DATA"]
    gains = {key: np.array(list(of.values())) for key, of in names["gains"].items()}
    assert (gains[strong, "same kind"] > 0).all()
    assert (gains[some, "same kind"] > 0).all()
    assert (gains[none, "same kind"] < 0).any()
    assert (gains[strong, "one topic"] > 0).all()
    for title in (some, none):
        topic = names["gains"][title, "one topic"]
        assert min(topic.values()) < -10
        assert min(topic["DynamicInvertedSoftmax"], topic["GloballyCorrected"]) > -3
    noise = np.concatenate([gains[title, "noise"] for title in names["DATA"]])
    assert (noise < 0).mean() > 0.5
    assert noise.min() > -5


def test_without_hubs_no_normalizer_gains():
    names, _, _ = run("plot_no_hubs")
    hindi, pictures = names["DATA"]
    low = {key: values[1] for key, values in names["gains"].items()}
    high = {key: values[2] for key, values in names["gains"].items()}
    assert all((value > 0) == (key[0] == hindi) for key, value in low.items())
    assert min(high.values()) > 0
    assert len(high) == 2 * 6
    assert (pictures, "MixNormalizer") in low


def test_a_lucky_setting_is_not_chosen():
    names, _, _ = run("plot_choose_normalizer")
    hubs, control = names["searches"].values()
    assert hubs.best_index_ > 0 == control.best_index_
    luckiest = control.results_["gain"].argmax()
    truth = names["truths"]["Pictures in 12 dimensions: no hubs"]["gain"]
    assert truth[luckiest] < 0.01 < control.results_["gain"][luckiest]
    for (started, recall), truth in zip(
        names["starts"].values(), names["truths"].values(), strict=True
    ):
        assert started.results_["name"][started.best_index_] == "MixNormalizer"
        assert recall > truth["recall"][0] - 0.01
    assert names["starts"]["Names of emoji, Japanese to English"][1] > 0.5


def test_a_mix_stays_above_raw_similarities_with_any_bank():
    names, printed, _ = run("plot_bank_and_sample")
    for found in names["recalls"].values():
        raw = found["raw"]
        banks = {name: each for name, each in found.items() if name != "raw"}
        assert all(each["mix"] > raw + 0.02 for each in banks.values())
        assert found["noise"]["bank alone"] < raw
        assert found["noise"]["mix"] == pytest.approx(found["no bank"]["mix"], abs=0.01)
    agreements = re.findall(r"(.+): .*\(agreement (\S+)\)", printed)
    assert {float(value) for bank, value in agreements if "noise" in bank} == {0}
    assert {float(value) for bank, value in agreements if "no bank" in bank} == {0}


def test_the_figure_of_the_mix_is_saved_to_the_file_that_is_passed(tmp_path):
    figure = tmp_path / "figure.png"
    run("plot_bank_and_sample", str(figure))
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_correction_helps_where_the_queries_are_mapped():
    names, _, _ = run("plot_text_to_image")
    by_case = {case.replace("\n", " "): each for case, each in names["results"].items()}
    for direction in ("text to image", "image to text"):
        _, skewness, gains = by_case[f"{direction}, queries mapped"]
        _, of_mapped_gallery, no_gains = by_case[f"{direction}, gallery mapped"]
        assert gains["recall@10"]["low"] > 0.02
        assert no_gains["recall@10"]["low"] < 0 < no_gains["recall@10"]["high"]
        assert skewness["before"] > 1.3 * of_mapped_gallery["before"]


def test_an_approximate_index_misses_more_of_the_corrected_items():
    names, _, _ = run("plot_faiss_index")
    for kind in names["INDEXES"]:
        raw, corrected = (("raw", kind), ("InvertedSoftmax", kind))
        assert names["recall"][corrected] > names["recall"][raw] + 0.5
        assert names["items_seen"][corrected] > 5 * names["items_seen"][raw]
        assert names["missed"][corrected] > names["missed"][raw] or kind == "Flat"


def test_corrected_lexicons_are_larger_and_their_best_pairs_are_right():
    names, _, _ = run("plot_bilingual_lexicon")
    pairs = names["pairs"]
    raw = pairs["cosine"]
    for name in ("CSLS", "ratio margin"):
        assert pairs[name].sum() > 1.2 * raw.sum()
        assert pairs[name][:50].mean() > raw[:50].mean()


def test_caps_keep_a_planted_hub_below_a_hundredth_and_cost_no_recall():
    names, _, _ = run("plot_planted_hub")
    recalls, captured = names["recalls"], names["captured"]
    assert captured["raw", "plain"] > 0.5
    assert captured["IS", "plain"] < 0.01
    for name in names["NORMALIZERS"]:
        assert captured[name, "capped"] < 0.01
        assert recalls[name, "capped"] >= recalls[name, "plain"]
        if name not in ("raw", "IS"):
            assert captured[name, "plain"] > 0.01


def test_the_figure_of_the_planted_hub_is_saved_to_the_file_that_is_passed(tmp_path):
    figure = tmp_path / "figure.png"
    run("plot_planted_hub", str(figure))
    assert figure.read_bytes().startswith(b"\x89PNG")
