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
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_parser",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # the pages need no network
    "inner_links",
]
exclude_patterns = [
    "_build",
    "results",
    "auto_examples/*.ipynb",
]  # pages include the results
templates_path = ["_templates"]
default_role = "autolink"  # a link if the name is documented, else emphasis
nitpicky = True
# Names of other packages are not linked, because the build has no network.
nitpick_ignore_regex = [("py:.*", r"(numpy|scipy|sklearn|joblib|pandas)\..*")]
nitpick_ignore = [("py:obj", "copy")]  # a parameter that is named like a module

autosummary_generate = True
autodoc_typehints = "none"  # the Parameters sections say more
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
    "thumbnail_size": (600, 260),  # the figures are wide
    "write_computation_times": False,
    "capture_repr": (),  # show printed output only, not return values
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
# Pages without subpages have an empty sidebar.
ALONE = ("index", "start", "paper", "benchmarks", "glossary", "references")
html_sidebars = {name: [] for name in (*ALONE, "contributing", "changelog")}
html_static_path = ["_static"]
html_css_files = ["sk_qbnorm.css"]
html_show_sourcelink = False
