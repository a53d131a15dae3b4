"""The zoo beside this file is shared by the tests of this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # tests are imported one by one, without a package around them
