"""The site of the project: every page of the repository where it stands, and the public names from their docstrings."""

import nas_attn

project = "nas_attn"
version = release = nas_attn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "benchmarks/*.md", "examples/*/*.md", "studies/*/*.md"]
exclude_patterns = ["docs/conf.py", "docs/templates"]

myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks keep what came out, and a test compares it with what comes out

highlight_language = "text"  # blocks without a language are commands
default_role = "literal"  # docstrings spell code as Markdown does
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"nas_attn {release}"
html_additional_pages = {"index": "forward.html"}
templates_path = ["templates"]
html_show_copyright = html_show_sourcelink = html_copy_source = False
html_show_search_summary = False  # it would read other pages, which a browser refuses to a page from a file
