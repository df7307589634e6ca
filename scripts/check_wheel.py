"""Installs the wheel, and with it a stock Airflow and nothing else of ours, and asks Airflow what it knows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from clean_environment import install_alone

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_tencentim"

# Runs in the clean environment, from an empty folder: nothing of the checkout can help.
QUESTIONS = """
import importlib.metadata, json, pkgutil
import airflow_provider_tencentim as package
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
# What needs an extra, and is imported only by those who have it.
others = (".emulator", ".example_dags", ".pytest_plugin", ".client.pacing_redis")
modules = [name for name in names if not name.removeprefix(package.__name__).startswith(others)]
for name in modules:
    __import__(name)
print(json.dumps({
    "version": importlib.metadata.version("airflow-provider-tencentim"),
    "provider": "airflow-provider-tencentim" in manager.providers,
    "hook": manager.hooks["tencentim"].hook_class_name,
    "modules": len(modules),
    "examples": [name for name in DagBundlesManager().get_all_bundle_names() if "tencentim" in name],
}))
"""


def main(wheel: Path) -> int:
    held = zipfile.ZipFile(wheel).namelist()
    examples = {f"{PACKAGE}/example_dags/{path.name}" for path in (ROOT / "example_dags").glob("example_*.py")}
    lacking = {f"{PACKAGE}/py.typed", *examples} - set(held)
    stray = [name for name in held if not name.startswith((f"{PACKAGE}/", f"{PACKAGE}-"))]
    if lacking or stray:
        print(f"{wheel.name} lacks {lacking or 'nothing'} and should not hold {stray or 'anything else'}")
        return 1

    with tempfile.TemporaryDirectory() as folder:
        python = install_alone(Path(sys.executable).with_name("uv"), sys.executable, wheel, Path(folder))
        environment = os.environ | {"AIRFLOW_HOME": folder}
        answer = subprocess.run(
            [python, "-W", "ignore", "-c", QUESTIONS],
            cwd=folder,
            env={key: value for key, value in environment.items() if key != "PYTHONPATH"},
            check=True,
            capture_output=True,
            text=True,
        )
    known = json.loads(answer.stdout.splitlines()[-1])
    print(f"{wheel.name}: {len(held)} files; beside a stock Airflow it says {known}")
    return 0 if known["provider"] and known["hook"].endswith("TencentIMHook") and known["examples"] else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
