import sys
from pathlib import Path

from sk_qbnorm import __version__

sys.path.append(str(Path(__file__).parent / "extensions"))

project = "sk_qbnorm"
author = "The sk-qbnorm developers"
copyright = author
version = release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_parser",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # no formula waits for somebody else's server
    "inner_links",
]
exclude_patterns = ["_build", "results", "auto_examples/*.ipynb"]  # pages hold results
templates_path = ["_templates"]
default_role = "autolink"  # a link where there is something to link to, else emphasis
nitpicky = True
# What other packages document is named, not linked: the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(numpy|scipy|sklearn|joblib|pandas)\..*")]

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say more
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "reading_order.ReadingOrder",
    "abort_on_example_error": True,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sk_qbnorm",),
    "reference_url": {"sk_qbnorm": None},
    "download_all_examples": False,
    "show_signature": False,
    "thumbnail_size": (600, 260),  # the pictures are wide
    "write_computation_times": False,
    "capture_repr": (),  # what is printed, not what a line of drawing returns
}

html_theme = "pydata_sphinx_theme"
html_title = f"sk_qbnorm {__version__}"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "back_to_top_button": False,
}
# Pages with none below them have nothing to show at the side.
ALONE = ("index", "start", "paper", "benchmarks", "glossary", "references")
html_sidebars = {name: [] for name in (*ALONE, "contributing", "changelog")}
html_static_path = ["_static"]
html_css_files = ["sk_qbnorm.css"]
html_show_sourcelink = False
