"""The Voila pages: what coaches and admins see and click.

Parts of pages are in `components` (its docstring lists them), `charts` and `transcript_view`; the
look is one token table in `theme`; the frame that Voila puts around a page is `voila_template/`.
Invariants: every text is escaped, the browser can write no synced trait, no page needs a network.
A new page is a module with `page()` here, and a two-cell notebook in `notebooks/dashboards/`.
"""
