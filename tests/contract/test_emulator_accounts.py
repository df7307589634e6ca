"""Accounts in both forms of their import, and the limits of a trial."""

from __future__ import annotations

import pytest
from refusal_rows import assert_refused, describe, wrong_types

IMPORT = "im_open_login_svc/account_import"
IMPORTS = "im_open_login_svc/multiaccount_import"
CHECK = "im_open_login_svc/account_check"

GOOD = {
    IMPORT: {"UserID": "new"},
    IMPORTS: {"AccountList": [{"UserID": "new", "Nick": "n", "FaceUrl": "u"}]},
}
NOT_PROFILE = (1, True, ["x"], {}, None)

REFUSALS = [
    *((IMPORT, {field: value}, 70402) for field in ("Nick", "FaceUrl") for value in NOT_PROFILE),
    *wrong_types(IMPORTS, "AccountList", 70402, "new", {"UserID": "new"}, ["new"], [{}], [{"Nick": "n"}]),
    (IMPORTS, {"AccountList": []}, 70206),
    (IMPORTS, {"AccountList": [{"UserID": "x"}] * 101}, 70206),
    *((IMPORTS, {"AccountList": [{"UserID": value}]}, 60015) for value in NOT_PROFILE),
    *(
        (IMPORTS, {"AccountList": [{"UserID": "new", field: value}]}, 70402)
        for field in ("Nick", "FaceUrl")
        for value in NOT_PROFILE
    ),
]


@pytest.mark.parametrize(("command", "change", "code"), REFUSALS, ids=[describe(row) for row in REFUSALS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


def test_a_profile_is_kept_and_what_comes_later_replaces_it(emulator, emulator_call):
    for command, body in (
        (IMPORT, {"UserID": "a", "Nick": "A", "FaceUrl": "http://face/a"}),
        (IMPORT, {"UserID": "a"}),
        (IMPORT, {"UserID": "a", "Nick": "Anne"}),
        (IMPORTS, {"Accounts": ["a", "b"]}),
        (IMPORTS, {"AccountList": [{"UserID": "c", "Nick": "C"}, {"UserID": "d"}]}),
        (IMPORTS, {"AccountList": [{"UserID": "c", "FaceUrl": ""}]}),
    ):
        answer = emulator_call(command, body)
        assert (answer["ErrorCode"], answer.get("FailAccounts", [])) == (0, [])
    assert emulator.state()["accounts"] == ["a", "administrator", "b", "c", "d"]
    assert emulator.state()["profiles"] == {
        "a": {"Nick": "Anne", "FaceUrl": "http://face/a"},
        "c": {"Nick": "C", "FaceUrl": ""},
    }


@pytest.mark.parametrize("form", ["Accounts", "AccountList"])
def test_a_hundred_accounts_are_imported_and_malformed_ones_are_named(emulator, emulator_call, form):
    users = [*(f"user{number}" for number in range(97)), "", "x" * 33, "é"]
    listed = users if form == "Accounts" else [{"UserID": user} for user in users]
    answer = emulator_call(IMPORTS, {form: listed})
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "FailAccounts": ["", "x" * 33, "é"]}
    assert emulator.state()["accounts"] == sorted(["administrator", *users[:97]])


def test_the_newer_form_wins_where_both_are_given(emulator, emulator_call):
    assert emulator_call(IMPORTS, {"Accounts": ["a"], "AccountList": [{"UserID": "b"}]})["ErrorCode"] == 0
    assert emulator.state()["accounts"] == ["administrator", "b"]


def test_a_trial_holds_a_limited_number_of_accounts(emulator, emulator_call):
    emulator.add_accounts("a")
    emulator.assume({"account_limit": 3})
    assert_refused(emulator, emulator_call, IMPORTS, {"Accounts": ["b", "c"]}, 70398)
    for body in ({"Accounts": ["a", "b"]}, {"Accounts": ["b"]}):
        assert emulator_call(IMPORTS, body)["ErrorCode"] == 0
    assert_refused(emulator, emulator_call, IMPORT, {"UserID": "c"}, 70398)
    assert emulator_call(IMPORT, {"UserID": "a"})["ErrorCode"] == 0


def test_what_is_checked_is_answered_in_order_and_one_by_one(emulator, emulator_call):
    emulator.add_accounts("a")
    answer = emulator_call(CHECK, {"CheckItem": [{"UserID": user} for user in ("nobody", "a", "nobody")]})
    assert answer["ResultItem"] == [
        {"UserID": "nobody", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "NotImported"},
        {"UserID": "a", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "Imported"},
        {"UserID": "nobody", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "NotImported"},
    ]
