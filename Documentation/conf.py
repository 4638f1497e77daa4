# SPDX-License-Identifier: GPL-2.0
"""Sphinx configuration: plain HTML, nothing fetched."""

project = "Umbra"
author = "Umbra developers"
copyright = "2026, Umbra developers"
extensions = []
html_theme = "alabaster"
exclude_patterns = ["_build"]
smartquotes = False
