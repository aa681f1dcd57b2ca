"""The command line: ``sk-qbnorm report``, ``evaluate`` and ``demo``."""

import argparse
import os
import sys
import warnings

from . import __version__
from .commands import NORMALIZERS, demo, evaluate, report
from .reporting import FORMATS


def main(arguments=None):
    """Run one command and return its exit status."""
    parser = _parser()
    try:
        try:
            _run(vars(parser.parse_args(arguments)))
        finally:
            _flush()
    except BrokenPipeError:  # the reader has stopped, such as head
        return 1
    except KeyboardInterrupt:
        return 130  # the exit status of shells for Ctrl-C
    except MemoryError as error:
        parser.exit(2, f"sk_qbnorm: error: not enough memory: {error}\n")
    except (ValueError, OSError) as error:
        parser.exit(2, f"sk_qbnorm: error: {error}\n")
    return 0


def _run(options):
    run = options.pop("run")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _show_warning
        run(**options)


def _flush():
    """Flush the output; at exit, Python would print a traceback on failure."""
    if sys.stdout is None:  # closed, as by >&- in a shell
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _show_warning(message, *where):
    if sys.stderr is not None:
        sys.stderr.write(f"sk_qbnorm: note: {message}\n")


_FILES = (
    "Files are .npy, .npz (FILE.npz:NAME if it contains several arrays), pickled NumPy "
    "arrays, .pt, .safetensors, .parquet, .csv, TREC runs or qrels. Code in a file is "
    "never executed."
)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m sk_qbnorm",
        description="Querybank normalization: retrieval without hubs.",
    )
    version = f"sk_qbnorm {__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="{demo,evaluate,report}")
    _add_demo(commands)
    _add_evaluate(commands)
    _add_report(commands)
    return parser


def _add_demo(commands):
    text = "Correct the shipped data with every normalizer."
    parser = commands.add_parser("demo", help=text.lower()[:-1], description=text)
    parser.set_defaults(run=demo)


def _add_evaluate(commands):
    text = "Correct your own similarities and measure the result."
    parser = commands.add_parser(
        "evaluate",
        help=text.lower()[:-1],
        description=text,
        epilog=_FILES,
    )
    parser.set_defaults(run=evaluate)
    add = parser.add_argument
    add(
        "--bank",
        required=True,
        metavar="FILE",
        help="similarities of bank queries x gallery, such as training captions x test "
        "videos",
    )
    add(
        "--sims",
        required=True,
        metavar="FILE",
        help="similarities of queries x gallery, such as test captions x test videos",
    )
    add(
        "--relevant",
        metavar="FILE",
        help="one gallery index per query, or a 0/1 matrix of queries x gallery; "
        "without it, the diagonal or groups of captions that the shape implies",
    )
    add(
        "--masks",
        metavar="FILE",
        help="0 for missing captions, 1 for the others, of any shape",
    )
    add(
        "--direction",
        choices=("text-to-video", "video-to-text"),
        default="text-to-video",
        help="the rows of --sims are captions in both directions; for video-to-text "
        "the bank compares its videos with these captions (default: %(default)s)",
    )
    _add_bank_rows(add)
    add(
        "--normalizer",
        choices=(*NORMALIZERS, "all"),
        default="dis",
        help="normalizer to fit (default: %(default)s)",
    )
    add(
        "--beta",
        type=_number_or_scale,
        help="inverse temperature of is, dis, sinkhorn: a number, or scale for the "
        "spread of the bank similarities (default: scale)",
    )
    add("--alpha", type=float, help="of is, dis, sinkhorn (default: 1), nnn (0.75)")
    add(
        "--n-neighbors",
        type=int,
        metavar="K",
        help="nearest bank queries of csls (default: 10) and nnn (16)",
    )
    add("--save", metavar="OUT.npy", help="write the corrected similarities here")


def _add_report(commands):
    text = "Measure every normalizer, recommend one or none, and write a page."
    parser = commands.add_parser(
        "report", help=text.lower()[:-1], description=text, epilog=_FILES
    )
    parser.set_defaults(run=report)
    add = parser.add_argument
    add(
        "--bank",
        required=True,
        metavar="FILE",
        help="similarities of bank queries x gallery, or embeddings of bank queries",
    )
    add(
        "--queries",
        "--sims",
        metavar="FILE",
        help="similarities of queries x gallery, or of videos x captions x videos with "
        "-inf as padding, or embeddings of queries; without it, only the bank is used",
    )
    add(
        "--gallery",
        metavar="FILE",
        help="embeddings of the gallery; leave it out for similarities",
    )
    add(
        "--relevant",
        metavar="FILE",
        help="one gallery index per query, a 0/1 matrix, or qrels; diagonal if query i "
        "looks for item i; captions if each n consecutive queries look for one item; "
        "without it, the queries are a sample without labels",
    )
    add("--names", metavar="FILE", help="text file with one name per gallery item")
    add("--masks", metavar="FILE", help="0 for queries to leave out, 1 for the others")
    add(
        "--both",
        metavar="FILE",
        help="report the other direction too, where gallery items are the queries; the "
        "file is its bank",
    )
    _add_bank_rows(add)
    add(
        "--beta",
        type=_number_or_scale,
        default="scale",
        help="inverse temperature of the softmax and Sinkhorn rows: a number, such as "
        "20 for the paper's rows, or scale (default: %(default)s)",
    )
    add("--metric", choices=("cosine", "dot"), help="for embeddings (default: cosine)")
    add(
        "--format",
        choices=tuple(FORMATS),
        default="html",
        help="html is a page, latex the table of a paper (default: %(default)s)",
    )
    add("--output", metavar="FILE", help="the file to write (default: report.html)")
    add("--title", help="title of the report (default: the name of the output)")


def _add_bank_rows(add):
    add(
        "--bank-rows",
        choices=("queries", "items"),
        help="whether the rows of a bank of similarities are bank queries or gallery "
        "items (default: told by the shape; required if the bank is square)",
    )


def _number_or_scale(text):
    if text == "scale":
        return text
    try:
        return float(text)
    except ValueError:
        message = f"expected a number or scale, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


if __name__ == "__main__":
    sys.exit(main())
