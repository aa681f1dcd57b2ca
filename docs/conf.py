from sk_qbnorm import __version__

project = "sk_qbnorm"
author = "The sk-qbnorm developers"
version = release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "myst_parser",
]
exclude_patterns = ["_build", "*_results.md"]  # which other pages include
templates_path = ["_templates"]
autosummary_generate = True
default_role = "autolink"  # a link where there is something to link to, else emphasis
nitpicky = True
numpydoc_show_class_members = False
html_theme = "pydata_sphinx_theme"
html_sidebars = {
    "index": [],
    "choosing": [],
    "quality": [],
    "scale": [],
    "benchmarks": [],
}  # they have no pages below them
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"sk_qbnorm {__version__}"
# What other packages document is named, not linked: the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(numpy|scipy|sklearn|joblib|pandas)\..*")]
autodoc_typehints = "none"  # numpydoc's sections say more
