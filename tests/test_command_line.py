import io
import os
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.utils import Bunch

from sk_qbnorm import CSLS, DynamicInvertedSoftmax, InvertedSoftmax
from sk_qbnorm.__main__ import main
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.metrics import hubness_skewness, recall_at_k

N_VIDEOS, PER_VIDEO = 12, 3


@pytest.fixture
def matrices():
    """Bank captions x videos and test captions x videos, 3 captions per video."""
    random = np.random.default_rng(0)
    hubs = random.exponential(0.3, size=N_VIDEOS)
    truth = np.repeat(np.eye(N_VIDEOS), PER_VIDEO, axis=0)
    sims = truth + hubs + random.normal(scale=0.3, size=truth.shape)
    bank = hubs + random.normal(scale=0.3, size=(50, N_VIDEOS))
    return bank.astype(np.float32), sims.astype(np.float32)


@pytest.fixture
def folder(matrices, tmp_path):
    bank, sims = matrices
    np.save(tmp_path / "bank.npy", bank)
    np.savez(tmp_path / "sims.npz", sims=sims)
    (tmp_path / "bank.pkl").write_bytes(pickle.dumps(bank))
    (tmp_path / "sims.pkl").write_bytes(pickle.dumps(sims))
    return tmp_path


def evaluate(capsys, folder, *options, bank="bank.npy", sims="sims.npz"):
    files = ["--bank", str(folder / bank), "--sims", str(folder / sims)]
    status = main(["evaluate", *files, *map(str, options)])
    assert status == 0
    return capsys.readouterr().out


def refusal(capsys, folder, *options, **files):
    with pytest.raises(SystemExit) as stop:
        evaluate(capsys, folder, *options, **files)
    assert stop.value.code == 2
    return capsys.readouterr().err


def recalls(printed):
    """R@1 of each row of the table, in its order."""
    rows = printed[printed.index("raw") :].splitlines()
    return {row.split()[0]: float(row.split()[1]) for row in rows if len(row) > 60}


def percent(recall):
    return pytest.approx(100 * recall, abs=0.05)


GROUPS = np.repeat(np.arange(N_VIDEOS), PER_VIDEO)


@pytest.mark.parametrize("kind", ["npy", "pkl"])
def test_several_captions_per_video_are_measured(kind, capsys, folder, matrices):
    bank, sims = matrices
    files = {
        "bank": f"bank.{kind}",
        "sims": "sims.npz" if kind == "npy" else "sims.pkl",
    }
    printed = evaluate(capsys, folder, **files)
    assert "groups of 3 consecutive captions for each of the 12 videos" in printed
    assert "36 queries, 12 gallery items, 50 bank queries" in printed
    scores = DynamicInvertedSoftmax(metric="precomputed").fit(bank).transform(sims)
    assert recalls(printed) == {
        "raw": percent(recall_at_k(GROUPS, sims)),
        "DynamicInvertedSoftmax": percent(recall_at_k(GROUPS, scores)),
    }


def test_all_normalizers_can_be_compared_in_one_table(capsys, folder):
    printed = evaluate(capsys, folder, "--normalizer", "all", "--n-neighbors", 5)
    assert list(recalls(printed)) == [
        "raw",
        "InvertedSoftmax",
        "DynamicInvertedSoftmax",
        "CSLS",
        "GloballyCorrected",
        "NearestNeighborNormalizer",
        "SinkhornNormalizer",
    ]


def test_settings_reach_the_normalizer_and_scores_are_saved(capsys, folder, matrices):
    bank, sims = matrices
    saved = folder / "out"
    options = "--normalizer", "is", "--beta", 5, "--alpha", 0.5, "--save", saved
    printed = evaluate(capsys, folder, *options)
    assert f"shape (36, 12), written to {saved}" in printed
    normalizer = InvertedSoftmax(beta=5, alpha=0.5, metric="precomputed").fit(bank)
    np.testing.assert_array_equal(np.load(saved), normalizer.transform(sims))


def test_the_diagonal_is_relevant_for_square_matrices(capsys, folder):
    np.save(folder / "square.npy", np.eye(N_VIDEOS))
    printed = evaluate(capsys, folder, sims="square.npy")
    assert "using the diagonal" in printed
    assert recalls(printed)["raw"] == 100


@pytest.mark.parametrize("form", ["indices", "indicator"])
def test_relevance_may_be_a_file(form, capsys, folder, matrices):
    _, sims = matrices
    wanted = (GROUPS + 1) % N_VIDEOS
    given = wanted if form == "indices" else np.eye(N_VIDEOS)[wanted]
    np.save(folder / "relevant.npy", given)
    printed = evaluate(capsys, folder, "--relevant", folder / "relevant.npy")
    assert "not given" not in printed
    assert recalls(printed)["raw"] == percent(recall_at_k(wanted, sims))


def without_item(n_queries, n_gallery, query):
    relevant = np.zeros((n_queries, n_gallery), dtype=int)
    relevant[:, 0] = 1
    relevant[query] = 0
    return relevant


def test_a_query_without_a_relevant_item_is_named(capsys, folder):
    np.save(folder / "relevant.npy", without_item(36, N_VIDEOS, query=2))
    options = "--relevant", folder / "relevant.npy"
    said = refusal(capsys, folder, *options)
    assert "relevant.npy" in said
    assert "row 2" in said
    assert "query_mask" not in said


@pytest.fixture
def masks(folder):
    mask = np.ones((N_VIDEOS, PER_VIDEO), dtype=np.int32)
    mask[0, 2] = mask[5, 0] = 0
    (folder / "masks.pkl").write_bytes(pickle.dumps(mask))
    return mask.ravel().astype(bool)


def test_missing_captions_are_left_out(capsys, folder, matrices, masks):
    _, sims = matrices
    printed = evaluate(capsys, folder, "--masks", folder / "masks.pkl")
    assert "2 of 36 captions are missing" in printed
    expected = recall_at_k(GROUPS[masks], sims[masks])
    assert recalls(printed)["raw"] == percent(expected)


def test_a_missing_caption_needs_no_relevant_item(capsys, folder, masks):
    np.save(folder / "relevant.npy", without_item(36, N_VIDEOS, query=2))
    options = "--relevant", folder / "relevant.npy", "--masks", folder / "masks.pkl"
    assert recalls(evaluate(capsys, folder, *options))


def test_missing_captions_do_not_count_for_hubs(capsys, folder, matrices, masks):
    bank, sims = matrices
    assert N_VIDEOS > 10  # otherwise every item is in every top 10
    sims[~masks] = -np.arange(N_VIDEOS)  # like padding: the same list in each row
    np.save(folder / "padded.npy", sims)
    options = "--masks", folder / "masks.pkl"
    printed = evaluate(capsys, folder, *options, sims="padded.npy")
    scores = DynamicInvertedSoftmax(metric="precomputed").fit(bank).transform(sims)
    for row, matrix in zip(printed.splitlines()[-2:], (sims, scores), strict=True):
        expected = hubness_skewness(matrix[masks])
        assert float(row.split()[-1]) == pytest.approx(expected, abs=0.005)
        assert abs(hubness_skewness(matrix) - expected) > 0.01


@pytest.mark.parametrize("normalizer", [InvertedSoftmax, DynamicInvertedSoftmax])
def test_beta_can_be_relative_to_the_spread_of_the_bank(
    normalizer, capsys, folder, matrices
):
    bank, sims = matrices
    name = {InvertedSoftmax: "is", DynamicInvertedSoftmax: "dis"}[normalizer]
    saved = folder / "out.npy"
    options = "--normalizer", name, "--beta", "scale", "--save", saved
    evaluate(capsys, folder, *options)
    expected = normalizer(beta="scale").fit(bank).transform(sims)
    np.testing.assert_array_equal(np.load(saved), expected)


@pytest.fixture
def bank_of_videos(folder):
    """Test captions x bank videos, for the other direction."""
    bank = np.random.default_rng(1).normal(scale=0.3, size=(36, 20))
    np.save(folder / "videos.npy", bank)
    return bank


def test_in_the_other_direction_any_caption_of_a_video_is_relevant(
    capsys, folder, matrices, masks, bank_of_videos
):
    _, sims = matrices
    options = "--direction", "video-to-text", "--normalizer", "csls"
    printed = evaluate(capsys, folder, *options, bank="videos.npy")
    assert "12 queries, 36 gallery items, 20 bank queries" in printed
    indicator = np.arange(N_VIDEOS)[:, None] == GROUPS
    assert recalls(printed)["raw"] == percent(recall_at_k(indicator, sims.T))
    scores = CSLS(metric="precomputed").fit(bank_of_videos.T).transform(sims.T)
    assert recalls(printed)["CSLS"] == percent(recall_at_k(indicator, scores))

    masked = *options, "--masks", folder / "masks.pkl"
    printed = evaluate(capsys, folder, *masked, bank="videos.npy")
    assert "12 queries, 34 gallery items" in printed
    expected = recall_at_k(indicator[:, masks], sims.T[:, masks])
    assert recalls(printed)["raw"] == percent(expected)


def test_the_bank_of_the_other_direction_may_have_captions_in_columns(
    capsys, folder, bank_of_videos
):
    np.save(folder / "natural.npy", bank_of_videos.T)
    np.save(folder / "square.npy", np.eye(36))
    options = "--direction", "video-to-text"
    expected = evaluate(capsys, folder, *options, bank="natural.npy")
    note, _, rest = evaluate(capsys, folder, *options, bank="videos.npy").partition(
        "\n"
    )
    assert "videos.npy: its rows are the gallery items; transposed" in note
    assert rest == expected
    said = refusal(capsys, folder, *options, bank="square.npy")
    assert re.search(r"square\.npy .*\(36, 36\).*bank queries or the gallery", said)
    for rows in ("queries", "items"):
        known = *options, "--bank-rows", rows
        assert evaluate(capsys, folder, *known, bank="square.npy")


def test_a_bank_with_the_gallery_in_rows_is_recognized(capsys, folder, matrices, masks):
    bank, _ = matrices
    np.save(folder / "turned.npy", bank.T)
    np.save(folder / "square.npy", bank[:N_VIDEOS])
    options = "--masks", folder / "masks.pkl"
    expected = evaluate(capsys, folder, *options)
    printed = evaluate(capsys, folder, *options, bank="turned.npy")
    note, _, rest = printed.partition("\n")
    assert "turned.npy: its rows are the gallery items; transposed" in note
    assert rest == expected
    said = refusal(capsys, folder, bank="square.npy")
    assert re.search(r"square\.npy .*\(12, 12\).*bank queries or the gallery", said)
    assert "--bank-rows" in said
    queries = evaluate(capsys, folder, "--bank-rows", "queries", bank="square.npy")
    items = evaluate(capsys, folder, "--bank-rows", "items", bank="square.npy")
    assert recalls(queries) != recalls(items)
    said = refusal(capsys, folder, "--bank-rows", "items")
    assert re.search(r"bank\.npy .*\(50, 12\).*12 gallery items in its rows", said)


def as_csv(path, matrix, rows, columns):
    lines = [
        ",".join([name, *map(repr, row)])
        for name, row in zip(rows, matrix, strict=True)
    ]
    path.write_text("\n".join([",".join(["id", *columns]), *lines]))


@pytest.mark.parametrize("direction", ["text-to-video", "video-to-text"])
def test_names_in_another_order_are_refused(direction, capsys, folder, matrices):
    bank, sims = (matrix.tolist() for matrix in matrices)
    videos = [f"video {item}" for item in range(N_VIDEOS)]
    texts = [f"text {row}" for row in range(36)]
    others = [f"bank {row}" for row in range(50)]
    relevant = np.eye(N_VIDEOS)[GROUPS]
    as_csv(folder / "sims.csv", sims, texts, videos)
    as_csv(folder / "bank.csv", bank, others, videos)
    as_csv(folder / "turned.csv", bank, others, videos[::-1])
    options = ["--direction", direction]
    files = {"bank": "bank.csv", "sims": "sims.csv"}
    if direction == "video-to-text":
        relevant = relevant.T
        as_csv(folder / "bank.csv", np.ones((5, 36)).tolist(), others[:5], texts)
        as_csv(
            folder / "turned.csv", np.ones((5, 36)).tolist(), others[:5], texts[::-1]
        )
    queries, items = (texts, videos) if relevant.shape[0] == 36 else (videos, texts)
    as_csv(folder / "relevant.csv", relevant.tolist(), queries, items)
    as_csv(folder / "other.csv", relevant.tolist(), queries[::-1], items)
    known = *options, "--relevant", folder / "relevant.csv"
    assert evaluate(capsys, folder, *known, **files)
    said = refusal(capsys, folder, *options, **(files | {"bank": "turned.csv"}))
    assert re.search(r"turned\.csv and .*sims\.csv .*report", said)
    known = *options, "--relevant", folder / "other.csv"
    assert re.search(r"other\.csv .*report", refusal(capsys, folder, *known, **files))
    known = *options, "--relevant", folder / "relevant.csv"
    (folder / "plain.csv").write_text("\n".join(",".join(map(repr, x)) for x in sims))
    said = refusal(capsys, folder, *known, **(files | {"sims": "plain.csv"}))
    assert re.search(r"relevant\.csv .*report", said)


def test_indices_of_captions_follow_when_captions_are_removed(
    capsys, folder, matrices, masks, bank_of_videos
):
    _, sims = matrices
    first = np.arange(N_VIDEOS) * PER_VIDEO + 1  # the second caption of each video
    first[5] = 5 * PER_VIDEO  # which is missing
    np.save(folder / "relevant.npy", first)
    options = (
        *("--direction", "video-to-text", "--masks", folder / "masks.pkl"),
        *("--relevant", folder / "relevant.npy"),
    )
    printed = evaluate(capsys, folder, *options, bank="videos.npy")
    assert "1 videos have no caption left and are not measured" in printed
    asked, kept = np.arange(N_VIDEOS) != 5, sims.T[:, masks]
    places = [list(np.flatnonzero(masks)).index(item) for item in first[asked]]
    assert recalls(printed)["raw"] == percent(recall_at_k(places, kept[asked]))


def test_videos_that_lose_all_captions_are_left_out(
    capsys, folder, matrices, bank_of_videos
):
    mask = np.ones((N_VIDEOS, PER_VIDEO))
    mask[3] = 0
    np.save(folder / "masks.npy", mask)
    options = "--direction", "video-to-text", "--masks", folder / "masks.npy"
    printed = evaluate(capsys, folder, *options, bank="videos.npy")
    assert "1 videos have no caption left and are not measured" in printed


@pytest.mark.parametrize(
    "relevant",
    [
        np.full(36, -1),
        np.full(36, 12),
        np.zeros(36),
        np.zeros(35, int),
        np.zeros((36, 9)),
    ],
)
def test_relevance_that_does_not_match_is_rejected(relevant, capsys, folder):
    np.save(folder / "relevant.npy", relevant)
    said = refusal(capsys, folder, "--relevant", folder / "relevant.npy")
    assert re.search(r"relevant\.npy.* 36 .*\[0, 12\)", said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--normalizer", "gc", "--beta", "3"], "gc has no --beta"),
        (["--normalizer", "csls", "--alpha", "3"], "csls has no --alpha"),
        (["--n-neighbors", "3"], "dis has no --n-neighbors"),
        (["--normalizer", "all", "--save", "x.npy"], "such as --normalizer dis"),
        (["--beta", "1/1.99"], "'1/1.99'"),
        (["--normalizer", "gc", "--beta", "scale"], "gc has no --beta"),
        (["--normalizer", "all", "--beta", "1e-17"], "1e-17"),
        (["--beta", "1e-17"], "1e-17"),
        (["--beta", "-1"], "got -1.0"),
        (["--beta", "nan"], "got nan"),
        (["--beta", "cat"], "'cat'"),
        (["--normalizer", "best"], "'best'"),
        (["--direction", "sideways"], "'sideways'"),
        (["--save", "nowhere/out.npy"], "nowhere"),
        (["--relevant", "nowhere.npy"], "nowhere.npy"),
    ],
)
def test_invalid_options_are_rejected_in_one_line(options, message, capsys, folder):
    assert message in refusal(capsys, folder, *options)


def test_invalid_options_are_rejected_before_anything_is_printed(capsys, folder):
    for options in (["--beta", -1], ["--n-neighbors", 0]):
        with pytest.raises(SystemExit):
            evaluate(capsys, folder, "--normalizer", "all", *options)
        assert capsys.readouterr().out == ""


def test_matrices_that_do_not_match_are_rejected(capsys, folder):
    np.save(folder / "other.npy", np.zeros((50, 13)))
    other_direction = "--direction", "video-to-text"
    for options in ((), other_direction):
        said = refusal(capsys, folder, *options, bank="other.npy")
        assert re.search(r"other\.npy .*\(50, 13\).*sims\.npz .*\(36, 12\)", said)
    np.save(folder / "flat.npy", np.zeros(50))
    said = refusal(capsys, folder, bank="flat.npy")
    assert re.search(r"flat\.npy .*\(50,\)", said)
    np.save(folder / "empty.npy", np.zeros((0, 12)))
    said = refusal(capsys, folder, sims="empty.npy")
    assert re.search(r"empty\.npy .*\(0, 12\)", said)
    assert str(folder) in refusal(capsys, folder, "--save", folder)
    np.save(folder / "odd.npy", np.zeros((35, 12)))
    said = refusal(capsys, folder, sims="odd.npy")
    assert "35 rows" in said
    assert "12 columns" in said
    np.save(folder / "nan.npy", np.full((36, 12), np.nan))
    assert "NaN in row 0" in refusal(capsys, folder, sims="nan.npy")


def test_masks_that_do_not_match_are_rejected(capsys, folder):
    np.save(folder / "masks.npy", np.ones(35))
    said = refusal(capsys, folder, "--masks", folder / "masks.npy")
    assert re.search(r"masks\.npy.* 36 .* 35 ", said)
    np.save(folder / "masks.npy", np.zeros(36))
    said = refusal(capsys, folder, "--masks", folder / "masks.npy")
    assert "masks.npy" in said


class Evil:
    def __reduce__(self):
        return print, ("code has run",)


def test_a_pickle_that_would_run_code_is_rejected(capsys, folder):
    (folder / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    said = refusal(capsys, folder, sims="evil.pkl")
    assert "builtins.print" in said
    assert "code has run" not in capsys.readouterr().out + said


def test_demo_shows_all_data_sets(capsys, monkeypatch):
    data = make_hub_retrieval(30, 25, 20, random_state=0)
    named = Bunch(**data, gallery_text=np.array([f"clip {j}" for j in range(20)]))
    sets = {"Without names": lambda: data, "With names": lambda: named}
    monkeypatch.setattr("sk_qbnorm.commands._demo._DATA", sets)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "With names: 25 queries, 20 gallery items, 30 bank queries" in printed
    assert printed.count("raw ") == 2
    assert printed.count("  'clip ") == 3


@pytest.mark.compiled
def test_demo_names_the_hubs_of_every_set_with_texts(capsys):
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("raw ") == 7
    assert printed.count("Largest hubs, and how many of") == 4
    hub = re.search(r"'eight-spoked asterisk': (\d+) before, (\d+) after", printed)
    before, after = map(int, hub.groups())
    assert before == 348
    assert after < 100


def test_warnings_go_to_standard_error(capsys, folder):
    np.save(folder / "small.npy", np.eye(3))
    small = str(folder / "small.npy")
    files = "--bank", small, "--sims", small, "--bank-rows", "queries"
    assert main(["evaluate", *files, "--normalizer", "csls"]) == 0
    captured = capsys.readouterr()
    assert "sk_qbnorm: note: n_neighbors=10" in captured.err
    assert "note" not in captured.out


class BrokenOutput(io.StringIO):
    """Standard output that cannot be written."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise self.error

    def fileno(self):
        return 1


@pytest.mark.parametrize("arguments", [["demo"], ["--help"]])
@pytest.mark.parametrize(
    ("error", "status"), [(BrokenPipeError(), 1), (OSError(28, "No space left"), 2)]
)
def test_output_that_cannot_be_written_is_replaced(
    error, status, arguments, monkeypatch, capsys
):
    replaced = []
    monkeypatch.setattr("sk_qbnorm.__main__.demo", lambda: None)
    monkeypatch.setattr("os.dup2", lambda *files: replaced.append(files))
    monkeypatch.setattr(sys, "stdout", BrokenOutput(error))
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    assert found == status
    assert replaced
    assert ("No space left" in capsys.readouterr().err) == (status == 2)


def test_closed_streams_are_no_error(monkeypatch):
    def warn():
        warnings.warn("nobody reads this", UserWarning, stacklevel=1)

    monkeypatch.setattr("sk_qbnorm.__main__.demo", warn)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["demo"]) == 0


@pytest.mark.skipif(os.name == "nt", reason="Needs the shell of a Unix")
@pytest.mark.parametrize("closed", ["| true", ">&-", "2>&-", ">/dev/null"])
def test_help_prints_no_traceback_if_nobody_reads(closed):
    program = f"{sys.executable} -m sk_qbnorm --help {closed}"
    result = subprocess.run(program, shell=True, capture_output=True, check=False)
    assert b"Traceback" not in result.stderr
    assert b"Error" not in result.stderr


def failing_demo(error):
    def demo():
        raise error

    return demo


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch):
    demo = failing_demo(KeyboardInterrupt())
    monkeypatch.setattr("sk_qbnorm.__main__.demo", demo)
    assert main(["demo"]) == 130


def test_too_little_memory_is_reported_in_one_line(monkeypatch, capsys):
    demo = failing_demo(MemoryError("Unable to allocate 9 TiB"))
    monkeypatch.setattr("sk_qbnorm.__main__.demo", demo)
    with pytest.raises(SystemExit) as stop:
        main(["demo"])
    assert stop.value.code == 2
    assert "9 TiB" in capsys.readouterr().err


@pytest.mark.compiled
def test_the_reader_of_a_pipe_may_stop():
    program = f"{sys.executable} -m sk_qbnorm demo | head -1"
    result = subprocess.run(program, shell=True, capture_output=True, check=True)
    assert result.stderr == b""


def test_the_module_runs_as_a_program():
    command = [sys.executable, "-m", "sk_qbnorm", "evaluate", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--bank FILE" in result.stdout
    result = subprocess.run(command[:-2], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "demo,evaluate" in result.stderr
