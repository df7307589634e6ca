"""The connection form of Airflow before 3.2, which the hook builds itself."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.get_provider_info import CONN_FIELDS
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook


def test_the_standard_fields_have_the_names_that_older_airflows_ask_for():
    behaviour = TencentIMHook.get_ui_field_behaviour()
    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}
    assert behaviour["relabeling"]["login"] == "SDKAppID"


@pytest.fixture
def form():
    """The form as Airflow's web server makes it; ``form(name="value")`` fills it in."""
    pytest.importorskip("flask_appbuilder", reason="only Airflow 2.11 builds the form with flask_appbuilder")
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    made = type("ConnectionForm", (Form,), TencentIMHook.get_connection_form_widgets())
    return lambda **values: made(MultiDict(values))


def test_every_field_has_its_label_its_description_and_its_default(form):
    fields = {field.name: field for field in form()}
    assert list(fields) == list(CONN_FIELDS)
    for name, field in fields.items():
        meant = CONN_FIELDS[name]
        assert (field.label.text, field.description) == (meant["label"], meant["description"])
        assert field.default == meant["schema"].get("default")
        assert type(field).__name__ == ("IntegerField" if "integer" in meant["schema"]["type"] else "StringField")
        assert type(field.widget).__name__ == "BS3TextFieldWidget"


def test_a_form_that_is_left_empty_is_good(form):
    empty = form(**dict.fromkeys(CONN_FIELDS, ""))
    assert empty.validate(), empty.errors


@pytest.mark.parametrize("name", [name for name, field in CONN_FIELDS.items() if "enum" in field["schema"]])
def test_a_field_of_few_values_takes_these_and_no_other(form, name):
    for value in filter(None, CONN_FIELDS[name]["schema"]["enum"]):
        assert form(**{name: value}).validate()
    wrong = form(**{name: "mars"})
    assert not wrong.validate()
    assert list(wrong.errors) == [name]
