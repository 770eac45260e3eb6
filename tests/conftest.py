"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# Examples may be slow on a busy machine; hypothesis' own limit of 200 ms would make tests flaky.
settings.register_profile("prefmill", deadline=None)
settings.load_profile("prefmill")
