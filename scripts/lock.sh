#!/usr/bin/env bash
# Pins all that is ever installed here, with hashes: the test environments, uv itself, what builds the packages that
# come as source only, and the tools of a release, of fuzzing and of mutation testing. Pins that still fit stay as they
# are; delete a file to have it all anew. Airflow's own constraints are not reachable everywhere, so dates stand in for
# them: an older Airflow works with what there was when it came out.
set -eu
uv=$1
pin() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --require-build-hashes --build-constraints requirements/build.txt "${@:2}" -o "$1"
}
airflow() {
    printf '%s\n' "apache-airflow==$2" ${more:-} |
        pin "$1" pyproject.toml - --extra dev --extra emulator --extra redis "${@:3}"
}
touch requirements/build.txt
echo setuptools | pin requirements/build.txt -
airflow requirements/airflow-3.3.txt 3.3.2
# The same, and what a fleet of workers needs besides.
more='apache-airflow-providers-celery psycopg2-binary asyncpg' \
    airflow requirements/airflow-3.3-fleet.txt 3.3.2 --constraints requirements/airflow-3.3.txt
airflow requirements/airflow-2.11.txt 2.11.2 --exclude-newer 2026-03-20 \
    --exclude-newer-package apache-airflow-providers-common-compat=2026-11-15 \
    --exclude-newer-package setuptools=2026-11-15 \
    --exclude-newer-package uv=2026-11-15 --exclude-newer-package ruff=2026-11-15
echo uv | pin requirements/uv.txt - --constraints requirements/airflow-3.3.txt
printf '%s\n' cyclonedx-bom pip-audit | pin requirements/release.txt -
# Beside the first one, for make fuzz: the last version with a wheel for Python 3.11.
echo "atheris==3.0.0" | pin requirements/fuzz.txt -
echo mutmut | pin requirements/mutation.txt - --constraints requirements/airflow-3.3.txt
