"""The client's commands, one after the other: those that write, each with what it should come to, and reads."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMError

from .again import Ended, again, is_explained
from .model import NO_REASON, Order, Orders, Sending, replaced_by
from .service import Service
from .tally import Tally
from .world import add_letters, plain

_ALREADY_RECALLED = 20023
_MESSAGES = 60
_DAY = 86_400


class Caller:
    """One who calls the client's commands, on groups and conversations that nobody else touches.

    :param name: begins the names of all that is its own.
    :param service: where it is put in place.
    :param dice: draws what is called.
    :param connect: returns a client with the key that counts now.
    :param tally: counts.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        dice: random.Random,
        connect: Callable[[], TencentIMClient],
        tally: Tally,
    ) -> None:
        self._name = name
        self._dice = dice
        self._connect = connect
        self._tally = tally
        self._client: TencentIMClient | None = None
        self._imported_at = int(time.time()) - _DAY
        self.orders = Orders()
        for room in ("room", "sender", "all", "shelf", "import"):
            service.add_group(f"{name}-{room}", messages=plain(_MESSAGES), members=["ann", f"{name}-ann"])
        service.add_group(
            f"@TGS#_{name}", "Community", messages=plain(20), topics={f"@TGS#_{name}@TOPIC#_a": plain(_MESSAGES)}
        )
        for number in range(3):
            service.add_group(f"{name}-doomed-{number}", messages=plain(3))
        self._letters = add_letters(service, dice, f"{name}-ann", f"{name}-bob", _MESSAGES, living=True)
        self._shelf = service.state(f"{name}-shelf")["groups"][f"{name}-shelf"]

    def run(self) -> None:
        """Call everything once, in an order that is drawn."""
        pieces = [*self._writes(), *[self._read] * 40]
        self._dice.shuffle(pieces)
        # What overwrites and then recalls the same messages has an order of its own.
        for piece in pieces:
            piece()
        if self._client is not None:
            self._client.close()

    # --- how a call is made, and noted

    def _ask(self, ask: Callable[[TencentIMClient], Any], *, repeatable: bool = True) -> Ended:
        def once() -> Any:
            client = self._client or self._connect()
            self._client = client
            try:
                return ask(client)
            except TencentIMError as error:
                if error.lasting:
                    self._client = None  # a person looks after the connection
                    client.close()
                raise

        ended = again(once, repeatable=repeatable)
        error = ended.error
        self._tally.add("outcomes", f"client: {type(error).__name__ if error else 'done'}")
        if error is not None and not is_explained(error):
            self._tally.violation("failed with a reason that nothing injected explains", f"{error!r}")
        if repeatable and ended.reported == "ambiguous":
            self._tally.violation("failed with a reason that nothing injected explains", f"still ambiguous: {error}")
        return ended

    def _order(self, order: Order, ask: Callable[[TencentIMClient], Any], *, repeatable: bool = True) -> None:
        ended = self._ask(ask, repeatable=repeatable)
        order.reported, order.reason = ended.reported, ended.reason
        self.orders.messages.append(order)

    def _send(self, what: str, name: str, ask: Callable[[TencentIMClient], Any], *, repeatable: bool) -> None:
        ended = self._ask(ask, repeatable=repeatable)
        self.orders.sendings.append(Sending(what, name, ended.reported, ended.reason))

    # --- what writes

    def _writes(self) -> Iterator[Callable[[], None]]:
        name, dice = self._name, self._dice
        topic = f"@TGS#_{name}@TOPIC#_a"
        for group, topic_id in ((f"{name}-room", None), (f"@TGS#_{name}", topic)):
            seqs = list(range(1, _MESSAGES + 1))
            dice.shuffle(seqs)
            while seqs:
                part = [seqs.pop() for _ in range(min(len(seqs), dice.randrange(1, 25)))]
                yield lambda group=group, topic_id=topic_id, part=part: self._overwrite_and_recall(
                    group, topic_id, part
                )
        yield lambda: self._clear(f"{name}-room", dice.randrange(1, _MESSAGES))
        yield lambda: self._clear(f"{name}-all", None)
        yield self._by_sender
        letters = list(self._letters)
        dice.shuffle(letters)
        while letters:
            letter = letters.pop()
            work = dice.choice((self._overwrite_letter, self._withdraw, self._hide))
            yield lambda work=work, letter=letter: work(letter)
        for number in range(15):
            yield lambda number=number: self._send_something(number)
        for number in range(3):
            yield lambda number=number: self._make_something(number)

    def _overwrite_and_recall(self, group: str, topic_id: str | None, seqs: list[int]) -> None:
        topic = topic_id or ""
        for seq in seqs:
            if self._dice.random() < 0.6:
                text = f"removed {self._dice.getrandbits(60):x}"
                self._order(
                    Order("overwrite", [("group", group, topic, seq)], body=replaced_by(text), name=group),
                    lambda client, seq=seq, text=text: client.modify_group_msg(group, seq, text, topic_id=topic_id),
                )
        if self._dice.random() < 0.5:
            self._recall(group, topic_id, seqs)

    def _recall(self, group: str, topic_id: str | None, seqs: list[int]) -> None:
        """Recall until no message failed, as a task that is retried does; every message is noted for itself."""
        results: dict[int, Any] = {}
        nowhere = _MESSAGES + 500

        def recall(client: TencentIMClient) -> None:
            for result in client.group_msg_recall(group, [*seqs, nowhere], topic_id=topic_id):
                results[result.msg_seq] = result
            failed = [result for result in results.values() if result.outcome == "failed"]
            if failed:
                raise TencentIMError("recall", failed[0].code, failed[0].reason)

        ended = self._ask(recall)
        for seq in seqs:
            order = Order("recall", [("group", group, topic_id or "", seq)], name=group)
            result = results.get(seq)
            if result is None:
                order.reason = ended.reason
            elif result.outcome in ("recalled", "already_recalled"):
                order.reported = "done"
            else:
                order.reason = result.reason
                if result.outcome == "missing":
                    self._tally.violation("reported as a failure without a reason", f"{group} {seq} is not missing")
            self.orders.messages.append(order)
        if nowhere in results and results[nowhere].outcome not in ("missing", "failed"):
            self._tally.violation("reported as a success that was none", f"{group} {nowhere} is {results[nowhere]}")

    def _clear(self, group: str, through: int | None) -> None:
        keys = [("group", group, "", seq) for seq in range(1, (through or _MESSAGES) + 1)]
        self._order(
            Order("clear", keys, name=group),
            lambda client: client.clear_group_msg(group, through),
            repeatable=through is not None,
        )

    def _by_sender(self) -> None:
        group = f"{self._name}-sender"
        keys = [("group", group, "", at + 1) for at in range(_MESSAGES) if at % 3 == 0]  # ann's
        self._order(
            Order("recall", keys, name=group),
            lambda client: client.delete_group_msg_by_sender(group, "ann"),
            repeatable=False,
        )

    def _overwrite_letter(self, letter: tuple[str, str, str]) -> None:
        text = f"removed {self._dice.getrandbits(60):x}"
        order = Order("overwrite", [("c2c", *letter)], body=replaced_by(text), custom="gone", name="a conversation")
        self._order(order, lambda client: client.modify_c2c_msg(*letter, text, "gone"))

    def _withdraw(self, letter: tuple[str, str, str]) -> None:
        def withdraw(client: TencentIMClient) -> None:
            try:
                client.admin_msgwithdraw(*letter)
            except TencentIMError as error:
                if error.code != _ALREADY_RECALLED:  # what a repeat of a lost call brings, as its page says
                    raise

        self._order(Order("recall", [("c2c", *letter)], name="a conversation"), withdraw)

    def _hide(self, letter: tuple[str, str, str]) -> None:
        account = self._dice.choice(letter[:2])
        peer = letter[account == letter[0]]
        order = Order("hide", [("c2c", *letter)], account=account, name="a conversation")
        self._order(order, lambda client: client.delete_c2c_msg_ramble(account, peer, [letter[2]]))

    def _send_something(self, number: int) -> None:
        text = f"{self._name} sent {number} {self._dice.getrandbits(60):x}"
        one, other, random = f"{self._name}-ann", f"{self._name}-bob", self._dice.getrandbits(31)
        at = int(time.time()) - _DAY + number
        ways: tuple[tuple[Callable[[TencentIMClient], Any], bool], ...] = (
            (
                lambda client: client.call(
                    "group_open_http_svc/send_group_msg",
                    {"GroupId": f"@TGS#_{self._name}", "MsgBody": replaced_by(text), "Random": random},
                ),
                True,
            ),
            (
                lambda client: client.call(
                    "openim/sendmsg",
                    {"From_Account": one, "To_Account": other, "MsgBody": replaced_by(text), "MsgRandom": random},
                ),
                True,
            ),
            (lambda client: client.batchsendmsg([other], text, from_account=one, msg_random=random), True),
            (
                lambda client: client.importmsg(
                    one, other, text, msg_time_stamp=at - 200 * _DAY, msg_random=random, msg_seq=random
                ),
                True,
            ),
            (lambda client: _import(client, f"{self._name}-import", text, self._next_second()), False),
        )
        send, repeatable = ways[number % len(ways)]
        self._send("send", text, send, repeatable=repeatable)

    def _next_second(self) -> int:
        """Return a time later than all that were imported: the service takes no others."""
        self._imported_at += 1
        return self._imported_at

    def _make_something(self, number: int) -> None:
        group = f"{self._name}-made-{number}"
        body = {"Type": "Public", "Name": "made", "GroupId": group}
        self._send(
            "create", group, lambda client: client.call("group_open_http_svc/create_group", body), repeatable=False
        )
        doomed = f"{self._name}-doomed-{number}"
        ended = self._ask(lambda client: client.destroy_group(doomed), repeatable=False)
        self.orders.sendings.append(Sending("destroy", doomed, ended.reported, ended.reason))
        account = f"{self._name}-new-{number}"
        self._send("account", account, lambda client: client.account_import(account), repeatable=True)
        self._ask(
            lambda client: client.send_group_system_notification(f"{self._name}-shelf", "hello"), repeatable=False
        )

    # --- what reads

    def _read(self) -> None:
        """Read something that nobody changes, and see that it is what was put in place."""
        group, shelf = f"{self._name}-shelf", self._shelf
        reads: dict[str, tuple[Callable[[TencentIMClient], Any], Any]] = {
            "history": (
                lambda client: [one["MsgSeq"] for one in client.iter_group_history(group)],
                [one["MsgSeq"] for one in reversed(shelf["messages"])],
            ),
            "page": (
                lambda client: [one["MsgBody"] for one in client.group_msg_get_simple(group, 30, 10)["RspMsgList"]],
                [one["MsgBody"] for one in shelf["messages"][29:19:-1]],
            ),
            "profile": (
                lambda client: [one["NextMsgSeq"] for one in client.get_group_info([group])],
                [shelf["NextMsgSeq"]],
            ),
            "preview": (
                lambda client: sorted(
                    one.msg_seq for one in client.preview_group_msg_recall(group, "1-50") if one.outcome == "recallable"
                ),
                list(range(1, 51)),
            ),
            "groups": (lambda client: group in set(client.iter_groups("Public")), True),
            "joined": (lambda client: group in set(client.iter_joined_groups(f"{self._name}-ann")), True),
            "accounts": (
                lambda client: [
                    one["AccountStatus"] for one in client.account_check(["ann", "nobody at all"])["ResultItem"]
                ],
                ["Imported", "NotImported"],
            ),
            "conversations": (
                lambda client: (
                    f"{self._name}-bob"
                    in {one.get("To_Account") for one in client.iter_conversations(f"{self._name}-ann")}
                ),
                True,
            ),
            "figures": (lambda client: client.getappinfo()["ErrorCode"], 0),
        }
        what = self._dice.choice(sorted(reads))
        read, expected = reads[what]
        ended = self._ask(read)
        if ended.error is None and ended.result != expected:
            self._tally.violation("reported as a success that was none", f"the read of {what}: {ended.result!r:.200}")
        if ended.error is not None and not ended.reason:
            self._tally.violation(NO_REASON, f"the read of {what}")


def _import(client: TencentIMClient, group: str, text: str, at: int) -> None:
    message = {"From_Account": "ann", "SendTime": at, "MsgBody": replaced_by(text)}
    answer = client.call("group_open_http_svc/import_group_msg", {"GroupId": group, "MsgList": [message]})
    (result,) = answer["ImportMsgResult"]
    if result["Result"] != 0:
        raise TencentIMError("group_open_http_svc/import_group_msg", result["Result"], "not imported")
