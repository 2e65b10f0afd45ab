"""What every run of the tests looks at, and what `make thorough` alone does."""

import os

import pytest

THOROUGH = bool(os.environ.get("NAS_ATTN_THOROUGH"))
thorough = pytest.mark.skipif(not THOROUGH, reason="takes long: make thorough")
