"""The file of a policy: YAML or JSON, where nothing can be said twice or in a roundabout way."""

from __future__ import annotations

import json
from typing import Any

LARGEST_FILE = 1_048_576
_TEXT_TAG = "tag:yaml.org,2002:str"


def read_policy(text: str, name: str) -> dict[str, Any]:
    """Return the mapping that the text of a file holds.

    :param text: YAML; JSON when the name ends with ``.json``.
    :param name: of the file, for errors.
    :raises ValueError: naming the file and the line, never showing what it holds; also for a key that comes twice, of
        which all but one would be dropped silently.
    """
    try:
        if not isinstance(text, str) or len(text.encode(errors="surrogatepass")) > LARGEST_FILE:
            raise ValueError(f"must be text of at most {LARGEST_FILE} bytes")
        text = text.removeprefix("\ufeff")
        value = _from_json(text) if name.lower().endswith(".json") else _from_yaml(text)
        if not isinstance(value, dict):
            raise ValueError("holds no mapping of keys and values")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except RecursionError:
        raise ValueError(f"{name}: is nested too deeply") from None
    return value


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: is no JSON ({error.msg})") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:64]!r} comes twice")
        found[key] = value
    return found


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no value in JSON")


def _from_yaml(text: str) -> Any:
    # A policy that is written into the DAG needs none.
    import yaml

    try:
        # First of all: what is nested too deeply ends here, and soon.
        node = yaml.compose(text, yaml.SafeLoader)
        for event in yaml.parse(text, yaml.SafeLoader):
            if getattr(event, "anchor", None) is not None:
                raise ValueError(f"line {event.start_mark.line + 1}: anchors and aliases are not taken")
        _check_keys(node, yaml.MappingNode, yaml.SequenceNode)
        return None if node is None else _constructed(yaml.SafeLoader(""), node)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{where}is no plain YAML") from None
    except yaml.YAMLError:
        raise ValueError("is no plain YAML") from None


def _constructed(loader: Any, node: Any) -> Any:
    try:
        return loader.construct_document(node)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        # So end impossible dates and numbers; what is said of them may show them.
        raise ValueError("holds a value of a wrong form, such as an impossible date") from None


def _check_keys(root: Any, mapping: Any, sequence: Any) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, sequence):
            waiting.extend(node.value)
        if not isinstance(node, mapping):
            continue
        found: set[str] = set()
        for key, value in node.value:
            line = f"line {key.start_mark.line + 1}"
            if key.tag != _TEXT_TAG or not isinstance(key.value, str):
                raise ValueError(f"{line}: a key must be text")
            if key.value in found:
                raise ValueError(f"{line}: the key {key.value[:64]!r} comes twice")
            found.add(key.value)
            waiting.append(value)
