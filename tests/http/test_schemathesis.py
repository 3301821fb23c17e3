"""Schemathesis attacks the API by what its document says: a little in every run, and at length when asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.http.attacked import HEADERS, app
from tests.http.driving import served

CONFIG = """\
[checks.positive_data_acceptance]
# What the state of things refuses; that nothing else is, is the check in attacked.py.
expected-statuses = ["2xx", "304", "401", "404", "412", "422"]
"""
ROOT = Path(__file__).resolve().parents[2]
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", app(), config=schemathesis.Config.from_str(CONFIG), headers=HEADERS
)

# Whoever writes a sequence may write a whole definition: its schema takes Schemathesis many seconds to take in. What is
# said of it is held against the code in test_strictness.py, and here at length.
brief = schema.exclude(operation_id=["createSequence", "replaceSequence"])


@brief.parametrize()
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
def test_a_few_of_each(case):
    """Requests made from the document, good and bad ones, are answered as the document says."""
    case.call_and_validate(headers=HEADERS)


@pytest.mark.slow
def test_at_length(tmp_path):
    """Five hundred examples for each operation, every edge of the schemas, stories of linked calls, and every check."""
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    with served(app()) as url:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / "schemathesis.toml"),
                "run", f"{url}/openapi.json", "-H", f"Authorization: {HEADERS['Authorization']}",
                "--checks", "all", "-n", "500", "--continue-on-failure", "--no-color",
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.http.attacked", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1800,
        )  # fmt: skip

    assert done.returncode == 0, done.stdout
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert phase in done.stdout
