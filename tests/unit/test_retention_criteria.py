"""Criteria: what is kept of a replacement, what is told of a refusal, and what the state is kept by."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.retention import criteria
from airflow_provider_tencentim.retention.criteria import Replacement, read_replacement

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]


@pytest.mark.parametrize(
    "given", [{"msg_body": TEXT}, {"cloud_custom_data": "x"}, {"msg_body": TEXT, "cloud_custom_data": "x"}]
)
def test_a_replacement_is_stored_under_the_keys_that_it_is_read_by(given):
    replacement = read_replacement("replacement", given)

    assert replacement.to_dict() == given
    assert read_replacement("replacement", replacement.to_dict()) == replacement


def test_a_fingerprint_stays_from_version_to_version():
    """The state of earlier runs is kept by it: another one would have them all begin anew."""
    assert criteria.fingerprint([], [], None) == "8a45a2090a1b4b22"
    replaced = Replacement(TEXT, "x")
    assert criteria.fingerprint(["b", "a"], ["y", "x"], replaced) == "1329519b15b0d2ed"
    turned = Replacement([dict(reversed(TEXT[0].items()))], "x")
    assert criteria.fingerprint(["a", "b"], ["x", "y"], turned) == criteria.fingerprint(
        ["a", "b"], ["x", "y"], replaced
    )


@pytest.mark.parametrize(
    ("args", "told"),
    [((b"missing ): (se: cret",), "missing )"), (("bad: x",), "bad"), ((b"\xff: x",), "\ufffd"), ((), ""), ((7,), "7")],
)
def test_a_reason_ends_before_the_expression(args, told):
    assert criteria._reason(Exception(*args)) == told


@pytest.mark.parametrize("body", [None, {}, "gone", 7, [], TEXT * 2])
def test_a_body_of_another_form_is_not_the_replacement(body):
    assert not Replacement(TEXT).is_in(SimpleNamespace(sender="a", body=body, custom=None))


def test_a_body_that_is_nested_too_deeply_to_be_compared_is_not_the_replacement():
    """It is overwritten once more then, and never passed over."""

    def nested():
        value = "gone"
        for _ in range(5000):
            value = [value]
        return value

    assert not Replacement(nested()).is_in(SimpleNamespace(sender="a", body=nested(), custom=None))
    assert Replacement([["gone"]]).is_in(SimpleNamespace(sender="a", body=[["gone"]], custom=None))
