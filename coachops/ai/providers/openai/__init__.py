"""The engine `openai`: structured outputs of any OpenAI-compatible API.

Owns: the wire schema, the calls (deadline, one retry layer, repair), the translation of every
failure into a code COACH-AI-…, and the record of what left. Invariants: nothing is imported from
the SDK before the first call; every request that leaves is recorded, also when it fails.
To handle a new failure of the service: `faults.py`.
"""

from coachops.ai.providers.openai.engine import OpenAIEngine
from coachops.ai.providers.openai.transport import prepare
from coachops.ai.replies import Outbound

__all__ = ["OpenAIEngine", "Outbound", "prepare"]
