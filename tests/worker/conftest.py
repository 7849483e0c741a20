"""Lets the tests of this folder import its helpers (`making_tweets`, `slow_matcher`) by their bare names."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
