"""ErrorCode tables, and the exception that stands for each kind of failure.

The HTTP status of an answer is 200 whatever happened; only ErrorCode tells. The codes are those of the
endpoint pages and of the global error page (document 269/1671).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What sort of failure a code is: it decides whether the call is repeated and what a person should do."""

    AUTH = "auth"
    PERMISSION = "permission"
    INVALID_REQUEST = "invalid request"
    NOT_FOUND = "not found"
    UNSUPPORTED = "unsupported"
    RATE_LIMITED = "rate limited"
    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    PACE = "pace"
    UNKNOWN = "unknown"


class TencentIMError(Exception):
    """A command failed.

    :param command: the command that was asked, e.g. ``openim/modify_group_msg``.
    :param code: the ErrorCode that came back; None when the failure is not an answer of the API
        (nothing could be sent, or no usable answer came).
    :param info: the ErrorInfo that came back, or a description of the failure.

    Its class tells its kind; ``lasting`` is whether the same call is sure to fail again.
    """

    kind = Kind.UNKNOWN
    lasting = False
    advice = "The code is in no table known here: see the error code page of Tencent Cloud Chat."

    def __init__(self, command: str, code: int | None, info: str) -> None:
        super().__init__(command, code, info)
        self.command = command
        self.code = code
        self.info = info

    def __str__(self) -> str:
        if self.code is None:
            return f"{self.command} failed: {self.info}. {self.advice}"
        meaning = explain(self.code)
        came_back = f"{self.code} ({self.info})" if self.info else f"{self.code}"
        return f"{self.command} failed with ErrorCode {came_back}: {meaning}. {self.advice}"


class TencentIMAuthError(TencentIMError):
    """The signature was refused."""

    kind = Kind.AUTH
    lasting = True
    advice = "Check the SDKAppID, its secret key, the app admin's name and this machine's clock."


class TencentIMPermissionError(TencentIMError):
    """The caller may not do this."""

    kind = Kind.PERMISSION
    lasting = True
    advice = "Check that the connection's app admin is an administrator of this app and may call this command."


class TencentIMInvalidRequestError(TencentIMError):
    """The request itself is wrong; the same one will fail again."""

    kind = Kind.INVALID_REQUEST
    lasting = True
    advice = "Correct the arguments: repeating the same call cannot help."


class TencentIMNotFoundError(TencentIMError):
    """What the call names does not exist."""

    kind = Kind.NOT_FOUND
    lasting = True
    advice = "Check the ids: what they name does not exist here, or no longer does."


class TencentIMUnsupportedError(TencentIMError):
    """The app, the group type or the message's state does not allow this."""

    kind = Kind.UNSUPPORTED
    lasting = True
    advice = "This app, group type or message does not allow it; see the command's page."


class TencentIMRateLimitedError(TencentIMError):
    """Too many calls: everybody has to slow down."""

    kind = Kind.RATE_LIMITED
    advice = "Something else calls this app too, or calls_per_second is set too high: try again later."


class TencentIMTransientError(TencentIMError):
    """The service or the network failed; trying later may help."""

    kind = Kind.TRANSIENT
    advice = "Try again later."


class TencentIMPaceError(TencentIMError):
    """The place where the pace is kept cannot be used, and without a pace nothing is sent."""

    kind = Kind.PACE
    advice = "Nothing was sent without a pace: see to what rate_limit_store names, and try again."


class TencentIMAmbiguousError(TencentIMError):
    """The call was sent and its answer was lost: it may or may not have been carried out."""

    kind = Kind.AMBIGUOUS
    advice = "It may or may not have been carried out: look before it is asked again."


class TencentIMCancelledError(TencentIMError):
    """The task was killed or timed out: nothing more is sent."""

    advice = "Nothing was sent after that."


class TencentIMPartialError(TencentIMError):
    """Some of what was asked was done and some was not; the info counts and names it.

    :param command: the command that was asked.
    :param code: the first code that came back for what was not done.
    :param info: the counts, and what was not done.
    :param lasting: whether no repeat can help any of it.
    """

    def __init__(self, command: str, code: int | None, info: str, lasting: bool = False) -> None:
        super().__init__(command, code, info)
        self.lasting = lasting

    def __str__(self) -> str:
        rest = "no repeat can help the rest" if self.lasting else "repeat it for the rest"
        return f"{self.command}: {self.info}. What was done stays done; {rest}."


EXCEPTIONS: dict[Kind, type[TencentIMError]] = {
    error.kind: error
    for error in (
        TencentIMError,
        TencentIMAuthError,
        TencentIMPermissionError,
        TencentIMInvalidRequestError,
        TencentIMNotFoundError,
        TencentIMUnsupportedError,
        TencentIMRateLimitedError,
        TencentIMTransientError,
        TencentIMAmbiguousError,
    )
}


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A row of the error tables."""

    kind: Kind
    meaning: str


_ROWS: dict[Kind, dict[int, str]] = {
    Kind.AUTH: {
        10008: "the signature does not fit the request, or the command needs the Ultimate edition",
        20002: "the UserSig or A2 has expired or is invalid",
        20008: "the SDKAppID does not match",
        60004: "the account or the signature in the URL is wrong",
        60005: "the account or the signature in the URL is wrong",
        60006: "the SDKAppID is invalid",
        60012: "the SDKAppID is missing from the URL",
        60015: "the account has the wrong type",
        70001: "the UserSig has expired",
        70002: "the UserSig is empty",
        70003: "the UserSig is illegal",
        70005: "the UserSig is illegal",
        70009: "the UserSig does not verify: it was signed with another app's key, or with an old one",
        70013: "the UserSig was signed for another account",
        70014: "the UserSig was signed for another SDKAppID",
        70016: "no key is known for this app",
        70020: "the SDKAppID does not exist",
        70032: "the account service refused the signature (undocumented)",
        70101: "the ticket has expired",
    },
    Kind.PERMISSION: {
        1002: "a parameter is wrong, or the caller is not an app administrator",
        10007: "no permission for this, or the group's type does not allow it",
        10009: "the owner may not leave the group",
        10012: "the initiator's UserID is invalid",
        10016: "the app's own webhook refused it",
        10017: "the account is muted",
        10024: "the request was already processed",
        10026: "the command is forbidden for this app",
        20006: "the app's own webhook refused it",
        20007: "the recipient has blocked the sender",
        20009: "sender and recipient are not friends",
        20010: "sender and recipient are not friends",
        20011: "sender and recipient are not friends",
        20012: "the sender is muted",
        50003: "the caller is not an app administrator",
        60010: "the caller is not an app administrator",
        60016: "the app is disabled",
        60017: "the request is disabled",
        60021: "the source IP address is not on the app's list",
        70051: "the account is on the blocklist",
        70114: "the account's login is restricted",
        70403: "the caller is not an app administrator",
        90009: "the caller is not an app administrator",
    },
    Kind.INVALID_REQUEST: {
        1001: "the request is malformed",
        10003: "the command word is invalid",
        10004: "a parameter is wrong",
        10005: "too many accounts in one request",
        10011: "the JSON could not be parsed",
        10013: "the account is already a member",
        10018: "the answer would be larger than 1 MB: ask for less",
        10020: "the message is too long",
        10021: "the group id is taken",
        10025: "the group id is taken, by yourself",
        10051: "the range to delete is too large",
        10053: "too many accounts are mentioned",
        10054: "too many members: ask page by page",
        20001: "the request is illegal",
        50002: "a parameter is wrong",
        60002: "the HTTP request could not be parsed: check the URL",
        60003: "the JSON of the request could not be parsed",
        60009: "there is no such resource: check the URL",
        70206: "the size of the batch is wrong",
        70402: "a parameter is wrong",
        80001: "the text was refused as sensitive",
        80002: "the message is too long",
        80003: "the security check's webhook failed",
        80004: "the image was refused as sensitive",
        80005: "the security check timed out",
        90001: "the JSON could not be parsed",
        90002: "MsgBody is not in the message format, or not an array",
        90003: "To_Account is missing or not a string",
        90004: "MsgSeq is invalid",
        90005: "MsgRandom is missing or not an integer",
        90006: "MsgTimeStamp is missing or not an integer",
        90007: "MsgBody is not an array",
        90010: "the JSON is not in the message format",
        90011: "more than 500 recipients",
        90018: "too many accounts",
        90026: "MsgLifeTime is over 7 days",
        90030: "SyncFromOldSystem is missing or not an integer, or a push attribute is too long",
        90031: "SyncOtherMachine is not an integer",
        90043: "OfflinePushInfo is malformed",
        90044: "MsgLifeTime is not an integer",
        90054: "the MsgKey is invalid",
        90055: "the batch is too long",
        93000: "the JSON is too long",
    },
    Kind.NOT_FOUND: {
        1005: "the history file has expired",
        10010: "the group does not exist or was dissolved",
        10015: "the group id is invalid, or the group was dissolved",
        10019: "the requested account does not exist",
        10030: "the message does not exist",
        10052: "there is no message to delete",
        20003: "the sender or the recipient does not exist or was not imported",
        20022: "the message does not exist",
        50001: "the account does not exist",
        70107: "the account does not exist",
        90008: "From_Account is missing or does not exist",
        90012: "To_Account does not exist or was not imported",
        90048: "the account does not exist",
    },
    Kind.UNSUPPORTED: {
        10014: "the group is full",
        10031: "the message is beyond the time in which it may be recalled",
        10032: "the message cannot be recalled",
        10033: "messages of this group type cannot be recalled",
        10034: "messages of this type cannot be deleted",
        10035: "messages of this group type cannot be deleted",
        10036: "the app's quota of AVChatRooms is used up",
        10037: "the account's quota of groups is used up",
        10038: "the group's quota of members is used up",
        10041: "the app is configured not to allow recalls of group messages",
        10044: "this group type stores no history",
        10058: "the trial edition allows 100 groups",
        10059: "this needs the Ultimate edition",
        11000: "communities are not enabled for this app",
        20016: "the message is beyond the time in which it may be recalled",
        20018: "the roaming messages could not be deleted",
        20023: "the message was already recalled",
        60020: "the app's package has expired",
        70398: "the trial edition allows 100 accounts",
        71000: "the account cannot be deleted",
        72000: "the app's daily active users are used up",
        72001: "status switching is not enabled",
    },
    Kind.RATE_LIMITED: {
        10006: "the operation is too frequent",
        10023: "messages come too frequently",
        22006: "the operation is too frequent",
        60007: "the command is called too frequently",
        60011: "the app calls too frequently",
        60018: "too many requests",
        60019: "too many requests",
        70050: "signatures are verified too often: wait a minute",
    },
    Kind.TRANSIENT: {
        1003: "internal error of the service",
        1004: "the history file is not ready yet, or the hour has no messages",
        10002: "internal error of the service",
        20004: "network error inside the service",
        20005: "internal error of the service",
        20028: "the message is being modified by somebody else",
        40006: "internal error of the profile service",
        50004: "internal error of the service",
        50005: "the service timed out",
        60008: "the service timed out, or the request is malformed",
        60013: "the service's own answer could not be parsed",
        60014: "the account switch timed out",
        70169: "the account service timed out",
        70202: "the account service timed out",
        70500: "internal error of the account service",
        90992: "internal error, or the app's own webhook does not answer",
        90994: "internal error of the service",
        90995: "internal error of the service",
        91000: "internal error of the service",
    },
}

ERROR_CODES: dict[int, ErrorCode] = {
    code: ErrorCode(kind, meaning) for kind, rows in _ROWS.items() for code, meaning in rows.items()
}

# An answer that asks for a new signature: the first is the gateway's, the second the message service's.
SIGN_AGAIN_CODES = frozenset({70001, 20002})

# Codes that hide two meanings, one of which no repeat can heal.
TRIED_TWICE_CODES = frozenset({60008})

# Codes that stay and that every other group would meet too: the app, the caller or the command is at fault. Other codes
# that stay are of one group, one account or one message.
_EVERYWHERE = frozenset(
    {1002, 10003, 10026, 10041, 10058, 10059, 11000, 50003, 60002, 60003, 60009, 60010, 60016, 60017, 60020, 60021}
    | {70051, 70398, 70403, 72000, 90009}
)

# Seconds that have to pass before another try, where the documents name them.
WAIT_AT_LEAST = {70050: 60.0}


def explain(code: int) -> str:
    """Return the meaning of an ErrorCode in words."""
    row = ERROR_CODES.get(code)
    return row.meaning if row else "the code is not documented"


def error_for(command: str, code: int, info: str) -> TencentIMError:
    """Build the exception for an ErrorCode that came back."""
    row = ERROR_CODES.get(code)
    return EXCEPTIONS[row.kind if row else Kind.UNKNOWN](command, code, info)


def is_everywhere(error: TencentIMError) -> bool:
    """Tell whether an error is sure to come again whatever group, account or message the next call is about.

    :param error: any.
    """
    if not error.lasting:
        return False
    # Without a code: the connection does not allow the command, or its host is no API.
    return error.code is None or error.kind is Kind.AUTH or error.code in _EVERYWHERE


def is_lasting(code: int | None) -> bool:
    """Tell whether a code is sure to come again for the same call; None, no code at all, is not."""
    row = ERROR_CODES.get(code) if code is not None else None
    return row is not None and EXCEPTIONS[row.kind].lasting
