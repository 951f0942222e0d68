"""Every row of the API tables of the reference: how it is called, what goes out, what comes back.

Bodies are those of the reference pages, put in full. ``result`` is what stands in the envelope, or the whole body on
the OpenAI-compatible paths.
"""

from __future__ import annotations

from api_chat import CHAT
from api_openai import OPENAI
from api_tools import TOOLS
from api_tuning import TUNING

TABLE = [*CHAT, *TOOLS, *TUNING, *OPENAI]
