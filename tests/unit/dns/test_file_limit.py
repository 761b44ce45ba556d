"""The limit of open files is raised, and never lowered."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from fairlead.dns.file_limit import raise_file_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, hard))
raise_file_limit()
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(soft == max({soft}, min(hard, 65536)) and resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard)
"""


@pytest.mark.parametrize("soft", ["256", "hard"])
def test_the_limit_goes_up_to_what_the_system_allows(soft: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(soft=soft)], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True"
