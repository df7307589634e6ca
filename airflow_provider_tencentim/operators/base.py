"""What the operators share: the connection, how errors reach Airflow, and how a kill stops them."""

from __future__ import annotations

import _thread
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_tencentim.operators.arguments import Arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.client.client import TencentIMClient

# Under which Airflow keeps what execute() returns; the name's own module would load the models of its database.
_RETURN_KEY = "return_value"


class TencentIMOperator(BaseOperator):
    """Base of the operators.

    Synchronous on purpose: a triggerer that restarts would replay a destructive call.

    :param tencentim_conn_id: (templated) the connection, of type ``tencentim``.
    """

    template_fields: tuple[str, ...] = ("tencentim_conn_id",)
    ui_color = "#e8f3ff"

    # The arguments that were given: every subclass notes them when it is constructed.
    given: frozenset[str] = frozenset()
    _client: TencentIMClient | None = None
    _killed = False

    def __init__(self, *, tencentim_conn_id: str = "tencentim_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tencentim_conn_id = tencentim_conn_id

    @property
    def arguments(self) -> Arguments:
        """The rendered arguments, to be read and checked."""
        return Arguments(self, self.given)

    @contextmanager
    def connected(self) -> Iterator[TencentIMClient]:
        """Give the connection's client; on the way out nothing of it is left running.

        :raises ValueError: when the connection is malformed, or its id came to nothing.
        :raises TencentIMCancelledError: when the task was killed meanwhile, even if it did all it had to.
        """
        # A DAG file that only names operators must not pay for requests and pydantic.
        from airflow_provider_tencentim.client.errors import TencentIMCancelledError
        from airflow_provider_tencentim.hooks.tencentim import TencentIMHook

        conn_id = self.arguments.value("tencentim_conn_id")
        if not isinstance(conn_id, str):
            raise ValueError(f"tencentim_conn_id must be text, not {type(conn_id).__name__}")
        with TencentIMHook(conn_id).get_conn() as client:
            self._client = client
            if self._killed:
                client.cancel()
            try:
                yield client
            except BaseException:
                client.cancel()  # a time-out or a kill must not leave calls waiting in other threads
                raise
            if self._killed:
                raise TencentIMCancelledError(type(self).__name__, None, "the task was stopped")

    @contextmanager
    def failing_for_good(self) -> Iterator[None]:
        """Tell Airflow which errors no retry can heal; the others keep their class, for its retry policies.

        :raises AirflowFailException: for a malformed argument or connection, and for the kinds that stay.
        """
        from airflow_provider_tencentim.client.errors import TencentIMError

        try:
            yield
        except ValueError as error:
            raise AirflowFailException(f"{type(self).__name__}: {error}") from error
        except TencentIMError as error:
            # Without the frames it came through: they have messages among their local variables, which some print.
            bare = copy(error.with_traceback(None))
            if bare.lasting:
                raise AirflowFailException(str(bare)) from bare
            raise bare from None

    def push(self, context: Context, result: dict[str, Any]) -> None:
        """Push the result although the task may fail: what was done must be known.

        :param context: of the task.
        :param result: what ``execute`` would return.
        """
        if self.do_xcom_push and (task_instance := context.get("ti")):
            task_instance.xcom_push(key=_RETURN_KEY, value=result)

    def on_kill(self) -> None:
        """Stop before the next call, and wake every wait.

        Airflow calls this and does not stop ``execute()``.
        """
        self._killed = True
        if self._client is not None:
            # In a signal handler: whoever holds the locks of the waits may be the very code that was interrupted.
            _thread.start_new_thread(self._client.cancel, ())
