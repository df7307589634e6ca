"""What Airflow reads of this provider, checked against Airflow's own schemas and against the client's tables."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_provider_tencentim
from airflow_provider_tencentim.client import client
from airflow_provider_tencentim.client.commands import DOCUMENTED_CALLS_PER_SECOND
from airflow_provider_tencentim.client.pacing import DEFAULT_CALLS_PER_SECOND
from airflow_provider_tencentim.client.regions import DEFAULT_REGION, REGIONS
from airflow_provider_tencentim.get_provider_info import CONN_FIELDS, get_provider_info
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook

AIRFLOW = Path(airflow.__file__).parent


@pytest.fixture
def info():
    return get_provider_info()


def schema(name):
    return json.loads((AIRFLOW / name).read_text())


def test_the_description_follows_airflows_schema(info):
    jsonschema.validate(info, schema("provider_info.schema.json"))


def test_the_connection_type_follows_airflows_schema(info):
    (connection_type,) = info["connection-types"]

    jsonschema.validate(connection_type, schema("provider.yaml.schema.json")["properties"]["connection-types"]["items"])


def test_the_entry_point_leads_to_the_description(info):
    entry_points = importlib.metadata.distribution("airflow-provider-tencentim").entry_points
    (entry_point,) = entry_points.select(group="apache_airflow_provider")

    assert entry_point.load()() == info


def test_the_package_is_named_and_versioned_as_its_distribution_is(info):
    distribution = importlib.metadata.distribution(info["package-name"])

    assert distribution.version == airflow_provider_tencentim.__version__


def test_every_call_describes_it_anew(info):
    info["connection-types"].clear()

    assert get_provider_info()["connection-types"]


def test_every_module_that_is_named_can_be_imported(info):
    modules = [name for kind in ("operators", "hooks") for row in info[kind] for name in row["python-modules"]]

    assert modules
    for name in modules:
        importlib.import_module(name)


# What operators are made of, and no DAG uses.
BASES = {"TencentIMOperator", "RetentionOperator", "PlanningOperator", "ApplyingOperator", "OneTaskOperator"}


def test_every_module_of_operators_and_hooks_that_defines_one_is_named(info):
    from airflow.providers.common.compat.sdk import BaseHook, BaseOperator

    named = {name for kind in ("operators", "hooks") for row in info[kind] for name in row["python-modules"]}
    root = Path(airflow_provider_tencentim.__file__).parent
    for path in [*root.glob("operators/*.py"), *root.glob("hooks/*.py")]:
        name = f"airflow_provider_tencentim.{path.parent.name}.{path.stem}"
        module = importlib.import_module(name.removesuffix(".__init__"))
        defined = [
            one.__name__
            for one in vars(module).values()
            if isinstance(one, type) and issubclass(one, BaseHook | BaseOperator) and one.__module__ == module.__name__
        ]
        assert (name in named) is bool(set(defined) - BASES), (name, defined)


def test_every_integration_that_is_named_is_described(info):
    described = {integration["integration-name"] for integration in info["integrations"]}
    used = {row["integration-name"] for kind in ("operators", "hooks") for row in info[kind]}

    assert used == described


def test_the_hook_is_that_of_the_connection_type(info):
    (connection_type,) = info["connection-types"]
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)

    assert hook is TencentIMHook
    assert hook.conn_type == connection_type["connection-type"] == "tencentim"
    assert hook.hook_name == connection_type["hook-name"]
    assert hook.conn_name_attr == "tencentim_conn_id"
    assert hook.default_conn_name == "tencentim_default"


@pytest.mark.filterwarnings("ignore:ProvidersManager")  # Airflow 3 has another manager for tasks
def test_airflow_knows_the_connection_type_and_has_nothing_to_complain_of(caplog, capfd):
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    manager._cleanup()  # another test may have had it read the providers
    provider = manager.providers["airflow-provider-tencentim"]
    hook = manager.hooks["tencentim"]

    assert provider.version == airflow_provider_tencentim.__version__
    assert hook is not None
    assert (hook.hook_class_name, hook.connection_id_attribute_name) == (
        "airflow_provider_tencentim.hooks.tencentim.TencentIMHook",
        "tencentim_conn_id",
    )
    assert hook.connection_testable
    behaviour = manager.field_behaviours["tencentim"]
    assert behaviour["relabeling"]["login"] == "SDKAppID"
    assert "port" not in behaviour["hidden_fields"]
    printed = capfd.readouterr()
    complaints = [
        line for line in f"{caplog.text}\n{printed.out}\n{printed.err}".splitlines() if "tencentim" in line.lower()
    ]
    assert complaints == []


# --- the form and the client's tables say the same ---


def test_the_form_offers_the_clients_regions(info):
    region = CONN_FIELDS["region"]["schema"]

    assert region["enum"] == list(REGIONS)
    assert list(region["values_display"]) == list(REGIONS)
    assert all(REGIONS[name] in shown for name, shown in region["values_display"].items())


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("region", DEFAULT_REGION),
        ("admin_identifier", client.DEFAULT_IDENTIFIER),
        ("usersig_ttl", client.DEFAULT_USERSIG_TTL),
        ("timeout", client.DEFAULT_TIMEOUT),
        ("calls_per_second", DEFAULT_CALLS_PER_SECOND),
        ("rate_limit_store", None),
        ("ca_bundle", None),
        ("allowed_commands", None),
    ],
)
def test_the_forms_defaults_are_the_clients(name, default):
    assert CONN_FIELDS[name]["schema"].get("default") == default


def test_the_forms_limits_are_the_clients():
    assert CONN_FIELDS["timeout"]["schema"]["minimum"] == client.LEAST_TIMEOUT
    assert CONN_FIELDS["calls_per_second"]["schema"]["maximum"] == DOCUMENTED_CALLS_PER_SECOND


@pytest.mark.parametrize("name", CONN_FIELDS)
def test_every_field_can_be_left_empty_is_labelled_and_has_a_valid_default(name):
    field = CONN_FIELDS[name]

    assert "null" in field["schema"]["type"]
    assert field["label"]
    assert field["description"]
    if "default" in field["schema"]:
        jsonschema.validate(field["schema"]["default"], field["schema"])


def test_earlier_airflow_shows_the_standard_fields_in_the_same_way(info):
    (connection_type,) = info["connection-types"]

    assert TencentIMHook.get_ui_field_behaviour() == {
        name.replace("-", "_"): value for name, value in connection_type["ui-field-behaviour"].items()
    }


def test_earlier_airflow_shows_the_same_fields():
    pytest.importorskip("flask_appbuilder", reason="only Airflow before 3 builds its forms with wtforms")
    widgets = TencentIMHook.get_connection_form_widgets()

    assert list(widgets) == list(CONN_FIELDS)
    assert {name: field.kwargs["default"] for name, field in widgets.items()} == {
        name: field["schema"].get("default") for name, field in CONN_FIELDS.items()
    }


# --- imported while Airflow itself is half loaded ---


def test_the_description_and_the_package_import_nothing_of_airflow_or_of_anybody_else():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from airflow_provider_tencentim.get_provider_info import get_provider_info\n"
        "import json; get_provider_info()\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(names - set(sys.stdlib_module_names))))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert loaded == ["airflow_provider_tencentim"]
