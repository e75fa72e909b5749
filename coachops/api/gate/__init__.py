"""The gate to the dashboards: `/app/` in front of Voila, which nobody reaches directly.

Invariants: a page view gets a one-use ticket in a header that only the gate can set; a kernel's
socket opens only for the sign-in that claimed the kernel; paths not listed do not exist; kernels
nobody looks at are ended. State is in the database (`identity.kernels`). To add a page: a row in
`identity.pages.PAGES`; the design and its attacks are in the guide's architecture page.
"""

from coachops.api.gate.gate import Gate
from coachops.api.gate.routes import gate_router

__all__ = ["Gate", "gate_router"]
