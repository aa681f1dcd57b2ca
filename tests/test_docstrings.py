"""Every public name has a complete docstring."""

import inspect
import re
from pathlib import Path
from pydoc import locate

import pytest

import sk_qbnorm
from sk_qbnorm import (
    datasets,
    indexes,
    inspection,
    metrics,
    model_selection,
    neighbors,
    normalizers,
    querybanks,
)

validate = pytest.importorskip("numpydoc.validate")

# Not checked: an extended summary, which not every function needs (ES01); where the
# first line starts, which ruff checks (GL01); a name for a single return value (RT02).
IGNORED = {"ES01", "GL01", "RT02"}
# Methods need no example, because their class has one.
METHODS_IGNORED = {*IGNORED, "SA01", "EX01"}

MODULES = (
    sk_qbnorm,
    datasets,
    indexes,
    inspection,
    metrics,
    model_selection,
    neighbors,
    normalizers,
    querybanks,
)
PUBLIC = {
    f"{thing.__module__}.{thing.__qualname__}"
    for module in MODULES
    for thing in (getattr(module, name) for name in module.__all__)
}
METHODS = {
    f"{module.__name__}.{name}.{method}"
    for module in (sk_qbnorm, indexes, inspection, model_selection)
    for name in module.__all__
    if inspect.isclass(getattr(module, name))
    for method, function in inspect.getmembers(getattr(module, name), inspect.isroutine)
    if not method.startswith("_") and str(function.__module__).startswith("sk_qbnorm")
}


def faults(name, ignored):
    found = validate.validate(name)["errors"]
    return [(code, text) for code, text in found if code not in ignored]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_names_have_complete_docstrings_with_examples(name):
    assert faults(name, IGNORED) == []


@pytest.mark.parametrize("name", sorted(METHODS))
def test_public_methods_are_documented(name):
    assert faults(name, METHODS_IGNORED) == []


# Modules that evaluate their annotations, which then print as long unions.
EVALUATED = {
    "sk_qbnorm.augmentation",
    "sk_qbnorm.normalizers._meta",
    "sk_qbnorm.normalizers._sinkhorn",
    "sk_qbnorm.normalizers._vector_index",
}


@pytest.mark.parametrize("name", sorted(PUBLIC | METHODS))
def test_signatures_fit_on_a_screen(name):
    function = locate(name)
    signature = str(inspect.signature(function))
    assert "Union" not in signature
    assert len(signature) < 900  # 12 lines of 75 characters


def test_modules_list_their_names_in_order():
    for module in MODULES:
        names = sorted(module.__all__)
        # as ruff sorts: names in capitals come first
        assert module.__all__ == sorted(names, key=lambda name: not name.isupper())
        assert module.__doc__


def test_every_public_name_is_in_the_reference():
    page = Path(__file__).parent.parent / "docs" / "api.rst"
    listed = set(re.findall(r"^   (\w+)$", page.read_text(), flags=re.MULTILINE))
    listed -= {"commands"}  # a page
    assert listed == {name for module in MODULES for name in module.__all__}


def works_cited():
    """Map the title of each entry of a References section to a name that cites it."""
    entry = re.compile(r"\.\. \[\d\] (.*?)(?= \.\. \[| Examples -|$)")
    for module in MODULES:
        for name in module.__all__:
            text = " ".join((getattr(module, name).__doc__ or "").split())
            for work in entry.findall(text):
                assert re.search(r" https://\S+\.$", work), f"{name}: {work}"
                yield work.split(". ")[1], name


def test_every_cited_work_is_in_the_bibliography():
    page = Path(__file__).parent.parent / "docs" / "references.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    entries = re.split(r"\(\S+\)= ", text)
    cited = set(works_cited())
    assert len(cited) > 20
    for title, name in cited:
        (entry,) = (entry for entry in entries if f"**{title}.**" in entry)
        assert f".{name}`" in entry, f"{title}: cited by {name}"
