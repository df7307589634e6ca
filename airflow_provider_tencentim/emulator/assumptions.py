"""What the documents leave open, as named switches.

The default is the reading that is safe to test against, which is the one that refuses or loses more, so that
a client which passes here cannot be surprised. Where it is another, the comment says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The readings that the emulator follows where no document or observation settles the matter."""

    # --- gateway ---
    # 60008 was seen once for a wrong pair; 60009 and 10003 are documented for it too.
    unknown_command_code: int = 60008
    # A command that exists, but not here: 60017 is "request disabled", which no client should repeat.
    not_emulated_code: int = 60017
    # The gateway documents 60006, the account service 70020.
    unknown_sdkappid_code: int = 60006
    # "The account in the URL is wrong"; nothing says what a missing identifier gives.
    missing_identifier_code: int = 60004
    # 70003 and 70005 are both "illegal UserSig".
    undecodable_usersig_code: int = 70003
    # 60010 is the gateway's; the services document 10007, 90009 and 70403 for the same.
    non_admin_code: int = 60010
    # No document says which of 60007, 60011, 60018, 10006 answers plain excess of a command.
    rate_limit_code: int = 60007
    # get_appid_group_list, once a second: 10006 is documented above all for it.
    group_list_rate_code: int = 10006
    # Whether refused calls use up the limit too is unknown; if so, a client that hammers never recovers.
    rate_counts_refused: bool = False
    # Bought packs raise some limits; large values switch the limit off.
    extra_calls_per_second: int = 0
    # random and contenttype are called required, but nobody saw a call refused for them (60002 here).
    enforce_random: bool = False
    enforce_contenttype: bool = False
    enforced_query_code: int = 60002
    # Whether the caller or its JSON is looked at first is unknown: no administrator, or broken JSON.
    admin_before_json: bool = True
    # JSON that cannot be parsed: sourced for openim (90001), not for the others.
    group_json_code: int = 10011
    account_json_code: int = 70402
    history_json_code: int = 1001
    other_json_code: int = 60003
    # "SDK request packet 1 MB" is a client-side figure; the code is a guess.
    request_size_limit: int = 1_048_576
    request_size_code: int = 93000
    # "Response packet 1 MB", answered with 10018.
    answer_size_limit: int = 1_048_576
    # The documents' samples show no Content-Type header: a client must not need it.
    answer_content_type: str = ""

    # --- messages ---
    # "12 KB" on the endpoint pages; 8,000 bytes and 8 KB on older ones.
    message_size_limit: int = 12_288
    # Whether CloudCustomData counts towards the 12 KB is unknown.
    message_size_counts: Literal["together", "body"] = "together"
    # The field, with 1 for its value, by which both histories mark an overwritten message: none was ever seen.
    modified_mark: str = ""
    # Too long: 80002 is listed for group messages, 93000 for one-to-one.
    group_too_long_code: int = 80002
    openim_too_long_code: int = 93000
    # MsgContent fields called required for media are enforced; whether the real server does is unknown.
    media_fields_required: bool = True
    # TIMRelayElem is described for receiving only.
    relay_elem: bool = False
    # Days after which a message is an expired placeholder: 7, 30 or 90 by edition, or bought; 0 is never.
    roaming_days: int = 0

    # --- groups ---
    # Endpoint pages: 10015 is a malformed id; the global page: the group is gone.
    malformed_group_code: int = 10015
    unknown_group_code: int = 10010
    unknown_topic_code: int = 10010
    # TopicId on a group that has no topics.
    topic_elsewhere_code: int = 10004
    # An account that a group command names and that was never imported.
    group_account_code: int = 10019
    # The id of a dissolved group: nothing says that it is taken for ever.
    dissolved_id_free: bool = True
    # Name: 30 bytes on the pages read; newer ones may allow more.
    group_name_limit: int = 30
    # An empty GroupType asks for all: a published client sends it.
    empty_group_type_is_all: bool = True
    # get_joined_group_list without GroupType: whether Communities are among the answer.
    joined_communities: bool = False
    # "Inactive" Private groups, which are left out unless asked for: those in which nothing was ever sent.
    private_inactive_until_sent: bool = True

    # --- reading group history ---
    # AVChatRoom stores none: 10044 or 10007.
    history_avchatroom_code: int = 10044
    # Whether a recalled message keeps its MsgBody is unknown.
    recalled_body: Literal["empty", "kept"] = "empty"
    # ReqMsgSeq 0: below the first message, or the same as absent.
    req_seq_zero_is_newest: bool = False
    # ReqMsgNumber: a width in MsgSeqs, in which gaps and recalled messages leave holes, or a number of messages shown.
    req_number_counts: Literal["seqs", "shown"] = "seqs"

    # --- recall ---
    # Nothing found on a second recall: 0, 10030 and 10032 must all read as "recalled".
    recall_of_recalled: int = 10032
    # 10030, or 10031 "beyond the time range".
    recall_of_expired: int = 10030
    # Tips and notices: 10032 has no other documented use.
    recall_of_system: int = 10032
    # "Up to 10"; the code for more is a guess.
    recall_too_many_code: int = 10004
    # delete_group_msg_by_sender: "the last 1,000 messages of the group".
    by_sender_messages: int = 1000
    # "Delete" or "recall": IsPlaceMsg 2 as after a recall, or 1 as of an expired message.
    by_sender_leaves: Literal["recalled", "deleted"] = "recalled"
    # 2023 pages: not supported (10033). Newer ones: the messages of the last hour.
    avchatroom_recall: Literal["hour", "never"] = "hour"

    # --- modify ---
    # A field of the wrong type, and neither MsgBody nor CloudCustomData: 20001 or 90010.
    modify_field_code: int = 20001
    modify_nothing_code: int = 20001
    # No code is documented for the group, the message or its state.
    modify_missing_code: int = 10030
    modify_recalled_code: int = 10030
    modify_expired_code: int = 10030
    # "Cannot be used for audio-video groups": 10007, 10044 or 20001.
    modify_avchatroom_code: int = 10007
    # Tips and notices have an object for a body: whether they may be overwritten is unknown.
    modify_system_code: int = 20001
    modify_c2c_missing_code: int = 20022
    modify_c2c_recalled_code: int = 20023

    # --- clear ---
    # "Community: no"; the code is a guess, and 0 carries it out.
    clear_community_code: int = 10007
    # Whether clearing all of a group clears its topics too; no TopicId is documented.
    clear_topics: bool = False
    # A smaller MsgSeq than last time: no undoing is documented.
    clear_goes_back: bool = False
    # MsgSeq 0: malformed, or the same as absent.
    clear_zero_is_all: bool = False
    # A MsgSeq beyond the newest: kept as it is (later messages are born cleared), cut, or refused (10004).
    clear_beyond_newest: Literal["kept", "cut", "refused"] = "kept"

    # --- sending and importing ---
    # Same Random (2021), same sender and Random (limits page), same content and Random (2023 and later).
    duplicate_rule: Literal["random", "sender_random", "content_random"] = "content_random"
    # What a dropped duplicate answers: the first one's MsgSeq, or 0.
    duplicate_seq: Literal["same", "zero"] = "same"
    # 40 messages a second for a group: excess is dropped although the answer says OK (MsgDropReason), or
    # refused (10023). Off, since a fast set-up would silently lose messages.
    group_flow_control: Literal["off", "drop", "refuse"] = "off"
    # 7 on the endpoint page, 20 on the limits page.
    import_batch: int = 7
    # "Later than the newest message": whether the same second is later is unknown.
    import_equal_times: bool = False
    # The import page lists Text, Face, Location and Custom only; published clients import files too.
    import_any_msg_type: bool = True
    # "Parameter error" is all that is listed for a message's own Result.
    import_sender_result: int = 10004
    # RecentContactFlag 1 "not for AVChatRoom and Community"; the code is a guess.
    import_recent_flag_code: int = 10007
    # SendMsgControl "not with OnlineOnlyFlag 1"; the code is a guess.
    control_online_code: int = 10004
    # send_group_system_notification: the table requires the members, the text and published clients leave them out.
    notify_members_required: bool = False
    # More than 500 members: 10004 or 10005 "too many accounts". Members of an AVChatRoom: "not supported".
    notify_too_many_code: int = 10004
    notify_avchatroom_code: int = 10007
    # MsgLifeTime over 7 days: 90026, although a page says that it is cut.
    lifetime_over_limit: Literal["refused", "cut"] = "refused"

    # --- one-to-one ---
    unknown_sender_code: int = 20003
    unknown_recipient_code: int = 90012
    # "13 KB" of messages on a page of admin_getroammsg.
    roam_page_bytes: int = 13_312
    # The most messages of a page, whatever MaxCnt asks for; 0 is no limit, since no page names one.
    roam_max_count: int = 0
    # Whether MinTime and MaxTime themselves belong to the window.
    roam_min_time_included: bool = True
    roam_max_time_included: bool = True
    # A wrong MaxCnt, MinTime or MaxTime, and a malformed LastMsgKey: the page lists nothing for them.
    roam_field_code: int = 90010
    roam_key_code: int = 90054
    # Whether a MsgKey, to modify or recall, also finds what the other side sent.
    key_of_either_side: bool = False
    # A recalled one-to-one message keeps its MsgBody, or shows none.
    recalled_c2c_body: Literal["kept", "empty"] = "kept"
    # From_Account and To_Account of the 2021 pages, which published clients still send.
    old_roam_names: bool = True
    # batchsendmsg and importmsg list 90008 for a sender that does not exist, sendmsg 20003.
    bulk_unknown_sender_code: int = 90008
    # A From_Account of sendmsg and batchsendmsg that is no text; and no recipients at all.
    sender_field_code: int = 90008
    batch_empty_code: int = 90003
    # "12,000 messages a minute" of batchsendmsg, each recipient one; 0 is no limit, and the code is a guess.
    batch_messages_per_minute: int = 12_000
    batch_counts: Literal["named", "sent"] = "named"
    batch_rate_code: int = 60007
    # No recipient of batchsendmsg exists: 90012 in the sample; when only some are missing, each has 70107.
    batch_nobody_code: int = 90012
    # SyncFromOldSystem: 5 and 2 since 2023, 1 and 2 before, which a published client still sends.
    import_sync_values: Literal["5_2", "1_2", "1_2_5"] = "5_2"
    # importmsg with a MsgTimeStamp that has not come yet: 90006, or 0 to store it.
    import_future_code: int = 90006
    # importmsg without MsgSeq: a random one, so that a repeat is a new message, or the MsgRandom.
    import_seq: Literal["random", "derived"] = "random"
    # admin_msgwithdraw lists 90008 for From_Account and nothing for a To_Account that does not exist.
    withdraw_unknown_sender_code: int = 90008
    withdraw_unknown_recipient_code: int = 20022
    withdraw_expired_code: int = 20022
    # No error list was seen for delete_c2c_msg_ramble: MsgKeyList malformed or too long; and a key that names
    # nothing refuses the whole call, or with 0 is passed over.
    ramble_list_code: int = 90010
    ramble_operator_code: int = 90008
    ramble_peer_code: int = 90003
    ramble_missing_code: int = 20022

    # --- conversations ---
    # 50002 is "parameter error", 50001 "UserID not imported"; nothing says what a group that is not there gives.
    recent_field_code: int = 50002
    recent_unknown_account_code: int = 50001
    recent_unknown_group_code: int = 50002
    # To_Account named the group too on the older pages; ToGroupid since 2023.
    old_recent_group_name: bool = False
    # "100 recent contacts", up to 500 in the highest edition; how many make a page is unknown.
    recent_contacts: int = 100
    recent_page: int = 100
    # Deleting a conversation that is not on the list: 0 carries it out, since no code is listed for it.
    recent_missing_code: int = 0

    # --- hourly message files ---
    # "Usually ready within an hour" after the hour is over, kept for 7 days; how long an address holds is unknown.
    history_ready_seconds: int = 3600
    history_days: int = 7
    history_url_seconds: int = 3600
    # MsgTime and ExpireTime: Beijing time on the newest pages, not stated on the others.
    history_utc_offset_hours: int = 8
    # A log of what was sent: later edits and recalls are not in it. "current" is the history as it is now.
    history_shows: Literal["sent", "current"] = "sent"
    # File is a list: how many messages make one file is unknown, 0 is all of the hour.
    history_messages_per_file: int = 0
    # CloudCustomData is not among the fields that the file is said to have.
    history_custom_data: bool = False
    # Messages of topics are not described: the TopicId in the place of the GroupId, beside it, or no such messages.
    history_topics: Literal["as_group", "both", "none"] = "as_group"

    # --- accounts ---
    # 7003 speaks of printable ASCII, the limits page of letters and digits; the former is the service's own text.
    user_id_characters: Literal["printable", "alphanumeric"] = "printable"
    # A RequestField of getappinfo that is no list: what 130001 and 130009 to 130012 mean was not found.
    appinfo_field_code: int = 60003
    # Identifier, the name of UserID until 2021.
    old_import_name: bool = True
    # More than 100 accounts in a call: 70206 "bad batch size" or 70402.
    account_batch_code: int = 70206
    # The trial edition holds 100 accounts, and answers 70398 to one more; 0 is no limit.
    account_limit: int = 0

    def changed(self, values: Mapping[str, object]) -> Assumptions:
        """Return these assumptions with some replaced.

        :param values: the new readings by name; text is converted to the switch's own type.
        :raises ValueError: for an unknown name or a value that the switch cannot take.
        """
        kinds = get_type_hints(Assumptions)
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            raise ValueError(f"unknown assumption {unknown[0]!r}; known are {', '.join(kinds)}")
        return replace(self, **{name: _convert(name, kinds[name], value) for name, value in values.items()})

    def as_dict(self) -> dict[str, object]:
        """Return every switch with its reading."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _convert(name: str, kind: Any, value: object) -> Any:
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}")
    if kind is bool and value in ("true", "false"):
        return value == "true"
    if kind is int and isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if type(value) is kind:
        return value
    raise ValueError(f"{name} must be of type {kind.__name__}")
