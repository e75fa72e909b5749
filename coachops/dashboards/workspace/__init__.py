"""The coach's workspace: upload, read the analysis beside the transcript, approve, send.

`page()` shows one frame whose content changes: home, a client, a session, the upload, help. Each
view is a file of its own; `shell` holds the frame, the way back and the one poll of the page.
Invariants: every call carries the actor and the capability checks ownership; what the browser sends
is an offer out of a list, never an id to trust. A new view is a function in a file here and a
method of `Workspace` in `page.py`.
"""

from coachops.dashboards.workspace.page import Workspace, page

__all__ = ["Workspace", "page"]
