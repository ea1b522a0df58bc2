import sys
from pathlib import Path

# The painted results are shared with the tests of exports.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export"))
