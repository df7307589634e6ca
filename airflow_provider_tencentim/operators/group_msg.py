"""Group messages: overwrite one, recall many, clear a group's history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_tencentim.operators.arguments import Arguments, given_arguments, overwritten_fields
from airflow_provider_tencentim.operators.base import TencentIMOperator
from airflow_provider_tencentim.operators.tally import RecallTally

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.client.client import TencentIMClient
    from airflow_provider_tencentim.client.recall import RecallResult
    from airflow_provider_tencentim.client.seqs import SeqSet

_SECONDS_BETWEEN_PROGRESS_LINES = 10
_GET_GROUP_INFO = "group_open_http_svc/get_group_info"
# Where a task keeps, for its retries, what clear_all meant when it was first tried.
_CLEAR_ALL_THROUGH = "tencentim_clear_all_through"


class ModifyGroupMsgOperator(TencentIMOperator):
    """Overwrite the content of a stored group message. This cannot be undone. Not for an AVChatRoom.

    What is not given stays as it is; MsgBody, CloudCustomData or both must be given.

    .. seealso:: "Modifying Historical Group Messages" (``openim/modify_group_msg``, document 269/74741).

    :param group_id: (templated) the GroupId, at most 48 bytes.
    :param msg_seq: (templated) the MsgSeq, from 1 to 4294967295.
    :param msg_body: (templated) the new MsgBody: a list of ``{"MsgType", "MsgContent"}``; or text, which is such a
        list in JSON when it begins with ``[`` or ``{``, and one TIMTextElem otherwise.
    :param cloud_custom_data: (templated) the new CloudCustomData, text. Together at most 12,288 bytes of JSON.
    :param topic_id: (templated) the TopicId, for a topic of a community.
    :param tencentim_conn_id: (templated) the connection.
    :return: ``{"group_id", "msg_seq", "fields"}``: what was overwritten.
    :raises AirflowFailException: for an argument that is malformed or came to nothing, before any call, and for an
        error that no retry can heal.
    :raises TencentIMError: for any other failure; Airflow may retry, since overwriting twice has the same effect.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "group_id",
        "msg_seq",
        "msg_body",
        "cloud_custom_data",
        "topic_id",
    )
    template_fields_renderers: ClassVar = {"msg_body": "json"}

    def __init__(
        self,
        *,
        group_id: str,
        msg_seq: int | str,
        msg_body: str | Sequence[Mapping[str, Any]] | None = None,
        cloud_custom_data: str | None = None,
        topic_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group_id = group_id
        self.msg_seq = msg_seq
        self.msg_body = msg_body
        self.cloud_custom_data = cloud_custom_data
        self.topic_id = topic_id
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            arguments = self.arguments
            message = {"group_id": arguments.value("group_id"), "msg_seq": arguments.integer("msg_seq")}
            overwrite = {
                "msg_body": arguments.content("msg_body"),
                "cloud_custom_data": arguments.value("cloud_custom_data"),
            }
            topic_id = arguments.value("topic_id")
            with self.connected() as client:
                client.modify_group_msg(**message, **overwrite, topic_id=topic_id)
            return {**message, "fields": overwritten_fields(**overwrite)}


class RecallGroupMsgOperator(TencentIMOperator):
    """Withdraw group messages from everyone, senders and readers alike. This cannot be undone.

    Ten a call, side by side, at the connection's pace. The service answers OK even when single messages failed: here
    the task fails, after all others were done, when any message failed or is missing. A message that is recalled
    already counts as such, so that a retried task converges.

    .. seealso:: "Recalling Group Messages" (``group_open_http_svc/group_msg_recall``, document 269/12341).

    :param group_id: (templated) the GroupId, at most 48 bytes.
    :param msg_seqs: (templated) one MsgSeq, a list of them, or text with ranges (``"1-500, 777"``).
    :param msg_seqs_path: (templated) instead of that, a file of MsgSeqs and ranges, divided by commas or by the ends
        of lines, on any ObjectStoragePath.
    :param topic_id: (templated) the TopicId, for a topic of a community.
    :param reason: (templated) shown to the members with the recall, at most 100 bytes.
    :param missing_ok: (templated) whether messages that do not exist are listed only, and do not fail the task.
    :param dry_run: (templated) look every message up in the history, and recall none.
    :param tencentim_conn_id: (templated) the connection.
    :return: ``{"requested", "recalled", "already_recalled", "missing", "failed", "first_missing", "first_failed"}``:
        the first is the number of different MsgSeqs and the sum of the next four; the lists hold at most 100. It is
        pushed also when the task fails. A dry run adds ``"dry_run": True`` and ``"recallable"``, which then takes
        the place of ``recalled`` in the sum.
    :raises AirflowFailException: for an argument that is malformed or came to nothing, before any call, and when
        messages were not recalled for reasons that no retry can heal.
    :raises TencentIMError: when messages were not recalled and Airflow may retry.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "group_id",
        "msg_seqs",
        "msg_seqs_path",
        "topic_id",
        "reason",
        "missing_ok",
        "dry_run",
    )

    def __init__(
        self,
        *,
        group_id: str,
        msg_seqs: int | str | Iterable[int | str] | None = None,
        msg_seqs_path: str | None = None,
        topic_id: str | None = None,
        reason: str | None = None,
        missing_ok: bool | str = False,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group_id = group_id
        self.msg_seqs = msg_seqs
        self.msg_seqs_path = msg_seqs_path
        self.topic_id = topic_id
        self.reason = reason
        self.missing_ok = missing_ok
        self.dry_run = dry_run  # type: ignore[method-assign,assignment]  # hides a method that only renders templates
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            arguments = self.arguments
            where: dict[str, Any] = {"group_id": arguments.value("group_id"), "topic_id": arguments.value("topic_id")}
            reason = arguments.value("reason")
            missing_ok, dry_run = arguments.flag("missing_ok"), arguments.flag("dry_run")
            seqs = self._read_seqs(arguments)
            tally = RecallTally(len(seqs), dry_run)
            with self.connected() as client:
                if dry_run:
                    results = client.preview_group_msg_recall(**where, msg_seqs=seqs)
                else:
                    results = client.group_msg_recall(**where, msg_seqs=seqs, reason=reason)
                try:
                    self._count(results, tally)
                finally:
                    self.push(context, tally.summary())
            if error := tally.error(f"group {where['group_id']}", missing_ok):
                raise error
            return tally.summary()

    def _read_seqs(self, arguments: Arguments) -> SeqSet:
        """Read and check every MsgSeq before the first call."""
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_tencentim.client.arguments import check_text
        from airflow_provider_tencentim.client.seqs import LONGEST_PIECE, parse_seq_lines, parse_seqs

        listed, path = arguments.items("msg_seqs"), arguments.value("msg_seqs_path")
        if (listed is None) == (path is None):
            raise ValueError("one of msg_seqs and msg_seqs_path must be given, and not both")
        if path is None:
            return _named("msg_seqs", parse_seqs, listed)
        path = check_text("msg_seqs_path", path)
        try:
            file: Any = ObjectStoragePath(path)
            opened = file.open("r", encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError) as error:
            raise ValueError(f"msg_seqs_path cannot be opened: {error}") from error
        with opened as lines:
            # Line by line: Airflow 2.11 wraps the file in an object that cannot be iterated over.
            seqs = _named("msg_seqs_path", parse_seq_lines, iter(partial(lines.readline, LONGEST_PIECE), ""))
        if not seqs:
            raise ValueError("msg_seqs_path names a file without a single MsgSeq")
        return seqs

    def _count(self, results: Iterable[RecallResult], tally: RecallTally) -> None:
        started = shown = time.monotonic()
        for result in results:
            tally.add(result)
            if (now := time.monotonic()) - shown >= _SECONDS_BETWEEN_PROGRESS_LINES:
                shown = now
                self.log.info("After %.0f s: %s", now - started, tally)
        self.log.info("Group %s: %s", self.group_id, tally)


class ClearGroupHistoryOperator(TencentIMOperator):
    """Hide a group's history from its members. Admins still read it. This cannot be undone. Not for a Community.

    ``clear_all`` is resolved to the newest MsgSeq there is and sent as that number, so that a repeat never clears
    what came later; where Airflow keeps task state (3.3 and later), this holds for the retries of the task too. An
    AVChatRoom stores no history: only for one is the command sent without a MsgSeq.

    .. seealso:: "Clearing Historical Group Messages" (``group_open_http_svc/clear_group_msg``, document 269/95617).

    :param group_id: (templated) the GroupId, at most 48 bytes.
    :param msg_seq: (templated) the last message to hide, with all before it. One that the group has not reached yet
        is refused: whether it would hide messages to come is not documented.
    :param clear_all: (templated) hide all there is. One of the two must be given, and not both.
    :param dry_run: (templated) only read what would be cleared.
    :param tencentim_conn_id: (templated) the connection.
    :return: ``{"group_id", "cleared_through"}``: the last MsgSeq that is hidden, 0 when there was none. In a dry run
        ``cleared_through`` is None, and ``"dry_run": True`` and ``"would_clear_through"`` are added.
    :raises AirflowFailException: for an argument that is malformed or came to nothing, before any call, and for an
        error that no retry can heal.
    :raises TencentIMError: for any other failure; Airflow may retry.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "group_id",
        "msg_seq",
        "clear_all",
        "dry_run",
    )

    def __init__(
        self,
        *,
        group_id: str,
        msg_seq: int | str | None = None,
        clear_all: bool | str = False,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group_id = group_id
        self.msg_seq = msg_seq
        self.clear_all = clear_all
        self.dry_run = dry_run  # type: ignore[method-assign,assignment]  # hides a method that only renders templates
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            from airflow_provider_tencentim.client.arguments import check_msg_seq, group_fields

            arguments = self.arguments
            group_id = group_fields(arguments.value("group_id"))["GroupId"]
            msg_seq, clear_all = arguments.integer("msg_seq"), arguments.flag("clear_all")
            dry_run = arguments.flag("dry_run")
            if (msg_seq is None) != clear_all:
                raise ValueError("one of msg_seq and clear_all=True must be given, and not both")
            if msg_seq is not None:
                check_msg_seq("msg_seq", msg_seq)
            with self.connected() as client:
                group = _group_info(client, group_id)
                if dry_run and group.get("Type") == "Community":
                    raise ValueError("group_id names a Community, whose history cannot be cleared")
                if group.get("Type") == "AVChatRoom":
                    through = msg_seq
                else:
                    through = self._resolve(_newest_seq(group), msg_seq, dry_run, context)
                if dry_run:
                    self.log.info("Dry run: group %s would be cleared through MsgSeq %s", group_id, through)
                    return {
                        "group_id": group_id,
                        "cleared_through": None,
                        "would_clear_through": through,
                        "dry_run": True,
                    }
                if through == 0:
                    self.log.info("Group %s has no message yet: there is nothing to clear", group_id)
                else:
                    client.clear_group_msg(group_id, through)
                    self.log.info(
                        "Group %s is cleared through MsgSeq %s", group_id, through or "none: it stores no history"
                    )
            self._forget(context)
            return {"group_id": group_id, "cleared_through": through or 0}

    def _resolve(self, newest: int, msg_seq: int | None, dry_run: bool, context: Context) -> int:
        """Return the MsgSeq to send: never one beyond what the task saw when it was first tried."""
        if msg_seq is None:
            return self._remember(newest, dry_run, context)
        if msg_seq > newest:
            raise ValueError(f"msg_seq {msg_seq} is beyond the group's newest message, which is {newest}")
        return msg_seq

    def _remember(self, newest: int, dry_run: bool, context: Context) -> int:
        store = context.get("task_state_store")  # Airflow 3.3 and later
        if store is None:
            return newest
        remembered: Any = store.get(_CLEAR_ALL_THROUGH)
        if isinstance(remembered, dict) and remembered.get("group_id") == self.group_id:
            return min(newest, int(remembered["msg_seq"]))
        if not dry_run:  # it is no try: the task that is cleared to do it in earnest means all there is by then
            store.set(_CLEAR_ALL_THROUGH, {"group_id": self.group_id, "msg_seq": newest})
        return newest

    def _forget(self, context: Context) -> None:
        """Let a task that is done and cleared in Airflow start afresh."""
        if (store := context.get("task_state_store")) is not None:
            store.delete(_CLEAR_ALL_THROUGH)


def _group_info(client: TencentIMClient, group_id: str) -> dict[str, Any]:
    from airflow_provider_tencentim.client.errors import error_for

    group = next(client.get_group_info([group_id]))
    if group["ErrorCode"] != 0:
        raise error_for(_GET_GROUP_INFO, group["ErrorCode"], str(group.get("ErrorInfo") or ""))
    return group


def _newest_seq(group: dict[str, Any]) -> int:
    from airflow_provider_tencentim.client.errors import TencentIMTransientError

    following = group.get("NextMsgSeq")
    if type(following) is not int or following < 1:
        raise TencentIMTransientError(_GET_GROUP_INFO, None, "the answer does not tell the group's newest message")
    return following - 1


def _named(name: str, parse: Callable[[Any], SeqSet], value: object) -> SeqSet:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
