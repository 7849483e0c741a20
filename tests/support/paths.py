"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SCRIPTS = ROOT / "scripts"
DEPLOY = ROOT / "deploy"
