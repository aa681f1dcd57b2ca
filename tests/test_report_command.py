"""``sk-qbnorm report``."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import sk_qbnorm
from sk_qbnorm.__main__ import main
from sk_qbnorm.datasets import make_hub_retrieval
from sk_qbnorm.similarity import pairwise_similarity

DATA = make_hub_retrieval(60, 48, 24, hubness=0.6, random_state=0)
BANK = pairwise_similarity(DATA.bank_queries, DATA.gallery)
SIMS = pairwise_similarity(DATA.queries, DATA.gallery)
VIDEO_BANK = pairwise_similarity(DATA.bank_gallery, DATA.queries)
CAPTIONS = np.repeat(np.arange(24), 2)
pytestmark = [
    pytest.mark.compiled,
    pytest.mark.filterwarnings("ignore:n_neighbors="),
    pytest.mark.filterwarnings("ignore:recall at k"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, matrix in {
        "bank": BANK,
        "sims": SIMS,
        "relevant": DATA.relevant,
        "video_bank": VIDEO_BANK,
        "bank_embeddings": DATA.bank_queries,
        "queries": DATA.queries,
        "gallery": DATA.gallery,
        "video_bank_embeddings": DATA.bank_gallery,
    }.items():
        np.save(f"{name}.npy", matrix)
    return tmp_path


def report(*options, **files):
    """Run the command; return the content of the JSON that it writes."""
    files = {"bank": "bank.npy", "sims": "sims.npy"} | files
    given = [
        part for name, path in files.items() if path for part in (f"--{name}", path)
    ]
    arguments = [*given, *options, "--format", "json", "--output", "out.json"]
    assert main(["report", *map(str, arguments)]) == 0
    with open("out.json", encoding="utf-8") as file:
        return json.load(file)


def refusal(capsys, *options, **files):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        report(*options, **files)
    assert stop.value.code == 2
    return capsys.readouterr().err


def numbers(table):
    return json.loads(json.dumps(table))


def test_the_command_writes_what_the_function_measures(folder, capsys):
    (found,) = report("--relevant", "relevant.npy")
    expected = sk_qbnorm.report(BANK, SIMS, relevant=DATA.relevant)
    assert found["comparison"] == numbers(expected.tables["comparison"])
    assert found["choice"] == expected.choice
    printed = capsys.readouterr()
    assert expected.reason in printed.out
    assert "written to out.json" in printed.out
    assert "report: 1/" in printed.err


def test_beta_is_passed_on(folder):
    (found,) = report("--beta", "20")
    expected = sk_qbnorm.report(BANK, SIMS, beta=20)
    assert found["comparison"] == numbers(expected.tables["comparison"])
    assert found["comparison"] != report("--beta", "scale")[0]["comparison"]


def test_a_page_is_written_by_default(folder, capsys):
    assert main(["report", "--bank", "bank.npy", "--queries", "sims.npy"]) == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<title>report</title>" in text
    assert "skewness" in capsys.readouterr().out


def test_embeddings_are_compared_with_the_gallery(folder):
    files = {"bank": "bank_embeddings.npy", "sims": "queries.npy"}
    (found,) = report(gallery="gallery.npy", **files)
    embeddings = DATA.bank_queries, DATA.queries, DATA.gallery
    expected = sk_qbnorm.report(*embeddings)
    assert found["comparison"] == numbers(expected.tables["comparison"])
    (dot,) = report("--metric", "dot", gallery="gallery.npy", **files)
    assert dot["comparison"] != found["comparison"]


def test_the_bank_alone_is_enough(folder, capsys):
    (found,) = report(sims=None)
    assert found["sizes"]["n_queries"] == 0
    assert "R@1" not in capsys.readouterr().out


def test_embeddings_of_a_bank_and_a_gallery_are_enough(folder):
    (found,) = report(gallery="gallery.npy", bank="bank_embeddings.npy", sims=None)
    expected = sk_qbnorm.report(DATA.bank_queries, gallery=DATA.gallery)
    assert found["comparison"] == numbers(expected.tables["comparison"])


def test_relevance_by_position(folder):
    np.save("square.npy", SIMS[:24])
    (found,) = report("--relevant", "diagonal", sims="square.npy")
    expected = sk_qbnorm.report(BANK, SIMS[:24], relevant=np.arange(24))
    assert found["comparison"] == numbers(expected.tables["comparison"])
    (found,) = report("--relevant", "captions")
    expected = sk_qbnorm.report(BANK, SIMS, relevant=CAPTIONS, groups=CAPTIONS)
    assert found["comparison"] == numbers(expected.tables["comparison"])


@pytest.mark.parametrize("kind", ["similarities", "embeddings"])
@pytest.mark.parametrize("form", ["indices", "indicator", "none"])
def test_both_directions_are_reported(kind, form, folder):
    files = {}
    if kind == "embeddings":
        files = {"bank": "bank_embeddings.npy", "sims": "queries.npy"}
        files["gallery"] = "gallery.npy"
    options = ["--both", "video_bank_embeddings.npy" if files else "video_bank.npy"]
    options += ["--masks", "masks.npy"]
    mask = np.ones(48, dtype=bool)
    mask[5:7] = False
    np.save("masks.npy", mask)
    relevant = DATA.relevant
    if form == "indicator":
        np.save("relevant.npy", np.eye(24, dtype=int)[relevant])
    if form != "none":
        options += ["--relevant", "relevant.npy"]
    forth, back = report(*options, **files)
    assert forth["sizes"]["n_queries"] == 46
    indicator = (relevant[mask] == np.arange(24)[:, None]).astype(int)
    asked = indicator.any(axis=1)
    expected = sk_qbnorm.report(
        VIDEO_BANK[:, mask],
        SIMS[mask].T,
        relevant=None if form == "none" else indicator,
        query_mask=None if form == "none" else asked,
        bank_rows="queries",
    )
    assert back["sizes"] == numbers(expected.sizes)
    assert back["comparison"]["raw"] == pytest.approx(
        numbers(expected.tables["comparison"]["raw"])
    )
    if kind == "similarities":
        assert back["comparison"] == numbers(expected.tables["comparison"])


def test_one_page_holds_both_directions(folder):
    options = "--bank", "bank.npy", "--sims", "sims.npy", "--both", "video_bank.npy"
    for kind in ("html", "markdown", "latex", "csv"):
        output = f"out.{kind}"
        assert main(["report", *options, "--format", kind, "--output", output]) == 0
        text = (folder / output).read_text(encoding="utf-8")
        assert "out, other direction" in text


def test_padded_captions_are_flattened(folder):
    padded = SIMS.reshape(24, 2, 24).copy()
    padded[3, 1] = -np.inf
    np.save("padded.npy", padded)
    (found,) = report(sims="padded.npy")
    kept = np.arange(48) != 7
    given = {"relevant": CAPTIONS[kept], "groups": CAPTIONS[kept]}
    expected = sk_qbnorm.report(BANK, SIMS[kept], **given)
    assert found["comparison"] == numbers(expected.tables["comparison"])
    forth, back = report("--both", "video_bank.npy", sims="padded.npy")
    assert back["sizes"] == {
        "n_queries": 24,
        "n_gallery": 47,
        "n_bank": len(VIDEO_BANK),
    }
    assert forth["comparison"] == found["comparison"]


def test_indices_may_be_lines_of_text(folder, capsys):
    lines = "\n".join(map(str, DATA.relevant))
    (folder / "relevant.txt").write_text(lines, encoding="utf-8")
    (found,) = report("--relevant", "relevant.txt")
    assert found["comparison"] == report("--relevant", "relevant.npy")[0]["comparison"]
    given = ["--bank", "bank.npy", "--sims", "sims.npy", "--relevant"]
    printed = []
    for name in ("relevant.txt", "relevant.npy"):
        capsys.readouterr()
        assert main(["evaluate", *given, name]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    (folder / "relevant.txt").write_text("0.5\n" * 48, encoding="utf-8")
    said = refusal(capsys, "--relevant", "relevant.txt")
    assert "relevant.txt has shape (48, 1)" in said
    np.save("single.npy", np.ones((48, 1)))
    np.save("one.npy", np.ones((20, 1)))
    ones = ["--bank", "one.npy", "--sims", "single.npy", "--relevant", "single.npy"]
    assert main(["evaluate", *ones]) == 0


def test_a_bank_in_the_other_orientation_is_recognized(folder, capsys):
    np.save("turned.npy", BANK.T)
    (found,) = report(bank="turned.npy")
    assert found["comparison"] == report()[0]["comparison"]
    assert any("turned.npy" in note for note in found["notes"])
    np.save("square.npy", BANK[:24])
    said = refusal(capsys, bank="square.npy")
    assert "square.npy has shape (24, 24)" in said
    assert "sims.npy has shape (48, 24)" in said
    assert "--bank-rows" in said
    assert report("--bank-rows", "queries", bank="square.npy")
    for rows, bank, side in (
        ("items", "bank.npy", "rows"),
        ("queries", "turned.npy", "columns"),
    ):
        said = refusal(capsys, "--bank-rows", rows, bank=bank)
        assert f"{bank} has shape" in said
        assert f"24 gallery items in its {side}" in said


def test_the_other_bank_in_the_other_orientation_is_recognized(folder, capsys):
    padded = SIMS.reshape(24, 2, 24).copy()
    padded[3, 1] = -np.inf
    np.save("padded.npy", padded)
    np.save("masks.npy", np.arange(48) != 30)
    np.save("turned.npy", BANK.T)
    np.save("turned_videos.npy", VIDEO_BANK.T)
    expected = report(
        *("--both", "video_bank.npy", "--masks", "masks.npy"), sims="padded.npy"
    )
    assert expected[1]["sizes"]["n_gallery"] == 46
    found = report(
        *("--both", "turned_videos.npy", "--masks", "masks.npy"),
        sims="padded.npy",
        bank="turned.npy",
    )
    printed = capsys.readouterr().out
    for here, there in zip(found, expected, strict=True):
        assert here["comparison"] == there["comparison"]
    assert "note: turned.npy: its rows are the gallery items" in printed
    assert "note: turned_videos.npy: its rows are the gallery items" in printed
    np.save("square.npy", np.eye(48))
    said = refusal(capsys, "--both", "square.npy")
    assert "square.npy has shape (48, 48)" in said
    assert "sims.npy has shape (24, 48), seen from the other direction" in said
    np.save("flat.npy", BANK[0])
    said = refusal(capsys, "--both", "flat.npy")
    assert "flat.npy must hold a matrix, got shape (24,)" in said


def test_a_bank_alone_is_oriented_by_names_or_by_the_user(folder, capsys):
    np.save("turned.npy", BANK.T)
    (expected,) = report(sims=None)
    assert (
        "60 rows are taken as bank queries, its 24 columns as"
        in capsys.readouterr().out
    )
    (found,) = report("--bank-rows", "items", sims=None, bank="turned.npy")
    assert found["comparison"] == expected["comparison"]
    (folder / "names.txt").write_text("\n".join("abcdefghijklmnopqrstuvwx"))
    (found,) = report("--names", "names.txt", sims=None, bank="turned.npy")
    assert found["comparison"] == expected["comparison"]
    assert found["hubs"][0]["name"] in "abcdefghijklmnopqrstuvwx"
    (folder / "names.txt").write_text("one\ntwo")
    said = refusal(capsys, "--names", "names.txt", sims=None)
    assert "bank.npy has shape (60, 24), names.txt has 2 names" in said


@pytest.mark.parametrize("option", ["bank", "both", "sims"])
def test_embeddings_of_another_model_or_orientation_are_refused(option, folder, capsys):
    files = {"bank": "bank_embeddings.npy", "sims": "queries.npy"}
    files |= {"gallery": "gallery.npy", "both": "video_bank_embeddings.npy"}
    matrix = np.load(files[option])
    np.save("turned.npy", matrix.T)
    said = refusal(capsys, **(files | {option: "turned.npy"}))
    assert f"turned.npy has shape {matrix.T.shape}" in said
    assert f"gallery.npy has shape {DATA.gallery.shape}" in said
    assert "same model, or transpose turned.npy" in said
    np.save("narrow.npy", matrix[:, :-1])
    said = refusal(capsys, **(files | {option: "narrow.npy"}))
    assert "narrow.npy has shape" in said
    assert "transpose" not in said


def write_csv(path, matrix, rows, columns):
    lines = [",".join(["id", *columns])]
    for name, row in zip(rows, matrix.tolist(), strict=True):
        lines.append(",".join([name, *map(repr, row)]))
    path.write_text("\n".join(lines), encoding="utf-8")


def test_files_with_ids_are_matched_by_name(folder, capsys):
    clips = [f"clip {item}" for item in range(24)]
    texts = [f"text {row}" for row in range(48)]
    order = np.random.default_rng(0).permutation(24)
    write_csv(folder / "sims.csv", SIMS, texts, clips)
    shuffled = [clips[item] for item in order]
    others = [f"bank {row}" for row in range(60)]
    write_csv(folder / "bank.csv", BANK[:, order], others, shuffled)
    lines = [f"{texts[i]}\t{clips[DATA.relevant[i]]}\t1" for i in range(40)]
    judged = "query-id\tcorpus-id\tscore\n" + "\n".join(lines)
    (folder / "qrels.tsv").write_text(judged, encoding="utf-8")
    (found,) = report("--relevant", "qrels.tsv", bank="bank.csv", sims="sims.csv")
    expected = sk_qbnorm.report(
        BANK.astype(float), SIMS[:40].astype(float), relevant=DATA.relevant[:40]
    )
    assert found["sizes"]["n_queries"] == 40
    for name, row in numbers(expected.tables["comparison"]).items():
        if name not in ("MixNormalizer", "NormalizerSearch"):
            assert found["comparison"][name] == row
    assert found["hubs"][0]["name"] in clips
    assert any("8 queries have no relevant item" in note for note in found["notes"])
    alone = report(bank="bank.npy", sims="sims.csv")[0]
    assert alone["hubs"][0]["name"] in clips
    assert not any("items are in the queries or" in note for note in found["notes"])
    np.save("masks.npy", np.arange(48) != 2)
    other = judged.replace("clip", "video")
    (folder / "other.tsv").write_text(other, encoding="utf-8")
    files = {"bank": "bank.csv", "sims": "sims.csv"}
    said = refusal(capsys, "--relevant", "other.tsv", **files)
    assert "other.tsv names no query or no item" in said
    masked = "--relevant", "qrels.tsv", "--masks", "masks.npy"
    (found,) = report(*masked, bank="bank.csv", sims="sims.csv")
    assert found["sizes"]["n_queries"] == 39


def test_names_settle_the_orientation_of_a_bank(folder, capsys):
    clips = [f"clip {item}" for item in range(24)]
    texts = [f"text {row}" for row in range(48)]
    others = [f"bank {row}" for row in range(60)]
    videos = [f"video {row}" for row in range(len(VIDEO_BANK))]
    order = np.random.default_rng(0).permutation(48)
    write_csv(folder / "sims.csv", SIMS, texts, clips)
    write_csv(folder / "bank.csv", BANK, others, clips)
    write_csv(folder / "turned.csv", BANK.T, clips, others)
    write_csv(folder / "square.csv", BANK[:24].T, clips, others[:24])
    shuffled = [texts[row] for row in order]
    write_csv(folder / "videos.csv", VIDEO_BANK[:, order], videos, shuffled)
    expected = report("--both", "video_bank.npy", bank="bank.csv", sims="sims.csv")
    found = report("--both", "videos.csv", bank="turned.csv", sims="sims.csv")
    for here, there in zip(found, expected, strict=True):
        assert here["sizes"] == there["sizes"]
        for name, row in there["comparison"].items():
            assert here["comparison"][name] == pytest.approx(row)
    (found,) = report(bank="square.csv", sims="sims.csv")
    assert found["sizes"]["n_bank"] == 24
    write_csv(folder / "few.csv", VIDEO_BANK[:, 2:], videos, texts[2:])
    report("--both", "few.csv", bank="bank.csv", sims="sims.csv")
    assert "note: 2 queries are not in few.csv" in capsys.readouterr().out
    alone = report(bank="bank.csv", sims=None)[0]
    assert alone["hubs"][0]["name"] in clips
    for name in ("sims", "bank"):
        twice = clips[:23] + clips[:1]
        write_csv(folder / "twice.csv", SIMS, texts, twice)
        files = {"bank": "bank.csv", "sims": "sims.csv"} | {name: "twice.csv"}
        assert "twice.csv names two gallery items 'clip 0'" in refusal(capsys, **files)


def test_runs_share_their_documents(folder, capsys):
    def run(scores, prefix, first):
        return "\n".join(
            f"{prefix}{row} Q0 d{first + item} {item} {score} us"
            for row, line in enumerate(scores.tolist())
            for item, score in enumerate(line)
        )

    (folder / "sims.run").write_text(run(SIMS[:, 2:], "q", 2), encoding="utf-8")
    (folder / "bank.run").write_text(run(BANK[:, :-2], "b", 0), encoding="utf-8")
    (found,) = report(bank="bank.run", sims="sims.run")
    assert found["sizes"] == {"n_queries": 48, "n_gallery": 24, "n_bank": 60}
    assert found["hubs"][0]["name"].startswith("d")
    assert any("4 gallery items" in note for note in found["notes"])
    qrels = [f"q{row} 0 d{2 + row % 22} 1" for row in range(48)]
    (folder / "all.qrels").write_text("\n".join(qrels), encoding="utf-8")
    (found,) = report("--relevant", "all.qrels", bank="bank.run", sims="sims.run")
    assert "recall@1" in found["comparison"]["raw"]
    other = (folder / "bank.run").read_text(encoding="utf-8").replace(" d", " x")
    (folder / "other.run").write_text(other, encoding="utf-8")
    assert "share no name" in refusal(capsys, bank="other.run", sims="sims.run")


def test_names_come_from_a_text_file(folder, capsys):
    names = folder / "names.txt"
    names.write_text("\n".join(f"Clip {item}" for item in range(24)), encoding="utf-8")
    (found,) = report("--names", "names.txt")
    hub = found["hubs"][0]
    assert hub["name"] == f"Clip {hub['item']}"
    names.write_text("one\ntwo", encoding="utf-8")
    assert "names.txt has 2 names" in refusal(capsys, "--names", "names.txt")
    names.write_bytes(b"caf\xe9")
    assert "names.txt must be a text file in UTF-8" in refusal(
        capsys, "--names", "names.txt"
    )


def test_input_that_does_not_match_is_refused_in_shapes_of_the_files(folder, capsys):
    np.save("narrow.npy", BANK[:, :20])
    said = refusal(capsys, bank="narrow.npy")
    assert "narrow.npy has shape (60, 20)" in said
    assert "sims.npy has shape (48, 24)" in said
    np.save("flat.npy", BANK[0])
    assert "flat.npy" in refusal(capsys, bank="flat.npy")
    said = refusal(capsys, bank="narrow.npy", gallery="gallery.npy")
    assert "narrow.npy has shape (60, 20)" in said
    assert "gallery.npy" in said
    np.save("deep.npy", SIMS.reshape(4, 12, 24))
    assert "deep.npy has shape (4, 12, 24)" in refusal(capsys, sims="deep.npy")
    said = refusal(capsys, "--both", "narrow.npy")
    assert "narrow.npy has shape (60, 20)" in said
    assert "sims.npy has shape (24, 48)" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--relevant", "diagonal"], "48 queries and 24"),
        (["--relevant", "narrow.npy"], "narrow.npy has shape (48, 20)"),
        (["--relevant", "qrels.txt"], "have no ids"),
        (["--masks", "narrow.npy"], "narrow.npy must hold 0 or 1"),
        (["--output", "nowhere/out.html"], "nowhere"),
        (["--relevant", "missing.npy"], "missing.npy"),
        (["--format", "pdf"], "pdf"),
    ],
)
def test_invalid_options_are_refused(options, message, folder, capsys):
    np.save("narrow.npy", SIMS[:, :20])
    (folder / "qrels.txt").write_text("q1 0 d1 1\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["report", "--bank", "bank.npy", "--sims", "sims.npy", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_options_that_need_queries_are_refused_without(folder, capsys):
    for options in (
        ["--relevant", "relevant.npy"],
        ["--masks", "relevant.npy"],
        ["--both", "video_bank.npy"],
    ):
        assert "--queries" in refusal(capsys, *options, sims=None)
    np.save("odd.npy", SIMS[:47])
    said = refusal(capsys, "--relevant", "captions", sims="odd.npy")
    assert "47 queries and 24" in said


def test_an_interrupted_command_leaves_no_page(folder, monkeypatch):
    def interrupt(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_qbnorm.reporting._report.querybank_report", interrupt)
    before = {*folder.iterdir()}
    arguments = ["report", "--bank", "bank.npy", "--sims", "sims.npy"]
    assert main(arguments) == 130
    assert {*folder.iterdir()} == before


INTERRUPTED = """
import os, signal, sys
from sk_qbnorm import CSLS
from sk_qbnorm.__main__ import main

fit = CSLS._fit

def interrupted(self, *args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return fit(self, *args, **options)

CSLS._fit = interrupted
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Needs the signals of a Unix")
def test_ctrl_c_leaves_the_old_page_and_no_other_file(folder):
    (folder / "report.html").write_text("old", encoding="utf-8")
    before = {*folder.iterdir()}
    command = [sys.executable, "-c", INTERRUPTED, "report", "--bank", "bank.npy"]
    process = subprocess.run(
        [*command, "--sims", "sims.npy"], capture_output=True, text=True, check=False
    )
    assert "report: 2/" in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode == 130
    assert {*folder.iterdir()} == before
    assert (folder / "report.html").read_text(encoding="utf-8") == "old"


class Evil:
    def __reduce__(self):
        return print, ("code has run",)


def test_files_never_run_code(folder, capsys):
    (folder / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    for option in ("--relevant", "--masks", "--both"):
        said = refusal(capsys, option, "evil.pkl")
        assert "builtins.print" in said
        assert "code has run" not in said
