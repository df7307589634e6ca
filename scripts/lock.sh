#!/usr/bin/env bash
# Pins the two test environments, with hashes. Airflow's own constraints are not reachable everywhere, so
# dates stand in for them: an older Airflow works with what there was when it came out.
set -eu
uv=$1
compile() {
    echo "apache-airflow==$1" | "$uv" pip compile pyproject.toml - --quiet --extra dev --extra emulator --extra redis \
        --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "${@:3}" -o "$2"
}
compile 3.3.2 requirements/airflow-3.3.txt
compile 2.11.2 requirements/airflow-2.11.txt --exclude-newer 2026-03-20 \
    --exclude-newer-package apache-airflow-providers-common-compat=2026-11-15 \
    --exclude-newer-package uv=2026-11-15 --exclude-newer-package ruff=2026-11-15
