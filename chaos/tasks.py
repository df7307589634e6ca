"""The operators of single messages, constructed, executed and executed again as Airflow would, many times."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

from . import model
from .again import Ended, again, is_explained
from .service import Service
from .tally import Tally
from .world import add_letters, plain

_MESSAGES = 60


class _TaskInstance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed = value


class _State(dict[str, Any]):
    """Airflow's task state, which lives as long as the task and its retries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class Tasks:
    """Tasks on groups and conversations that nobody else touches.

    :param name: begins the names of all that is their own.
    :param service: where it is put in place.
    :param dice: draws them.
    :param conn_id: the Airflow connection.
    :param tally: counts.
    """

    def __init__(self, name: str, service: Service, dice: random.Random, conn_id: str, tally: Tally) -> None:
        self._name = name
        self._dice = dice
        self._conn_id = conn_id
        self._tally = tally
        self._numbers = 0
        self.orders = model.Orders()
        for room in ("overwritten", "recalled", "cleared", "all"):
            service.add_group(f"{name}-{room}", messages=plain(_MESSAGES))
        self._letters = add_letters(service, dice, f"{name}-ann", f"{name}-bob", 20, living=True)

    def run(self) -> None:
        """Run every task, in an order that is drawn."""
        pieces: list[Callable[[], None]] = [
            lambda: self._clear("cleared", self._dice.randrange(1, _MESSAGES)),
            lambda: self._clear("all", None),
        ]
        pieces += [lambda seq=seq: self._overwrite(seq) for seq in self._dice.sample(range(1, _MESSAGES + 1), 25)]
        pieces += [lambda letter=letter: self._overwrite_letter(letter) for letter in self._letters]
        seqs = list(range(1, _MESSAGES + 1))
        self._dice.shuffle(seqs)
        while seqs:
            part = [seqs.pop() for _ in range(min(len(seqs), self._dice.randrange(1, 30)))]
            pieces.append(lambda part=part: self._recall(part))
        self._dice.shuffle(pieces)
        for piece in pieces:
            piece()

    def _execute(self, make: Callable[..., Any], **arguments: Any) -> tuple[Ended, Any]:
        self._numbers += 1
        ti, state = _TaskInstance(), _State()

        def once() -> Any:
            task = make(task_id=f"task_{self._numbers}", tencentim_conn_id=self._conn_id, **arguments)
            return task.execute({"ti": ti, "task_state_store": state})

        ended = again(once)
        self._tally.add("counts", "operator runs", ended.runs)
        self._tally.add("outcomes", f"operator: {type(ended.error).__name__ if ended.error else 'done'}")
        if ended.error is not None and not is_explained(ended.error):
            self._tally.violation("failed with a reason that nothing injected explains", repr(ended.error))
        return ended, ti.pushed

    def _note(self, order: model.Order, ended: Ended) -> None:
        order.reported, order.reason = ended.reported, ended.reason
        self.orders.messages.append(order)

    def _overwrite(self, seq: int) -> None:
        group, text = f"{self._name}-overwritten", f"removed {self._dice.getrandbits(60):x}"
        ended, _ = self._execute(ModifyGroupMsgOperator, group_id=group, msg_seq=seq, msg_body=text)
        key = "group", group, "", seq
        self._note(model.Order("overwrite", [key], body=model.replaced_by(text), name=group), ended)

    def _overwrite_letter(self, letter: tuple[str, str, str]) -> None:
        text = f"removed {self._dice.getrandbits(60):x}"
        sender, recipient, key = letter
        ended, _ = self._execute(
            ModifyC2CMsgOperator, from_account=sender, to_account=recipient, msg_key=key, msg_body=text
        )
        order = model.Order("overwrite", [("c2c", *letter)], body=model.replaced_by(text), name="a conversation")
        self._note(order, ended)

    def _recall(self, seqs: list[int]) -> None:
        group = f"{self._name}-recalled"
        ended, counts = self._execute(RecallGroupMsgOperator, group_id=group, msg_seqs=seqs)
        self._note(model.Order("recall", [("group", group, "", seq) for seq in seqs], name=group), ended)
        if counts is None:
            return
        names = ("recalled", "already_recalled", "missing", "failed")
        if counts["requested"] != sum(counts[name] for name in names) or counts["missing"]:
            self._tally.violation(model.FALSE_SUCCESS, f"{group}: {counts}")

    def _clear(self, room: str, through: int | None) -> None:
        group = f"{self._name}-{room}"
        how = {"clear_all": True} if through is None else {"msg_seq": through}
        ended, _ = self._execute(ClearGroupHistoryOperator, group_id=group, **how)
        keys = [("group", group, "", seq) for seq in range(1, (through or _MESSAGES) + 1)]
        self._note(model.Order("clear", keys, name=group), ended)
