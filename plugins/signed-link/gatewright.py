"""Short ways to say what the generated types say at length.

The types themselves are in `wit_world`, which componentize-py makes of `wit/`; everything here returns or takes them, so
the two can be mixed freely.
"""

import json

from componentize_py_types import Err
from wit_world.exports.lifecycle import (
    BodyMode,
    ConfigError,
    FieldSelection_All,
    FieldSelection_Named,
    FieldSelection_None_,
    Needs,
    Part,
    PluginInfo,
    Reuse,
)
from wit_world.imports import types

ALL = "all"


def info(
    name,
    version,
    description,
    *,
    config_schema=None,
    parts=(),
    request_fields=(),
    response_fields=(),
    request_body=False,
    response_body=False,
    services=(),
):
    """What `describe` answers. Parts are names such as `"path"`: what is not asked for is None. Fields are a list of
    names, or `ALL`; a body is wanted or not, or `"chunks"`: it goes through the filter. Services are what the operator should know that it uses, such as `"kv"`.
    """
    return PluginInfo(
        name,
        version,
        description,
        None if config_schema is None else json.dumps(config_schema),
        Needs(
            _parts(parts),
            _fields(request_fields),
            _fields(response_fields),
            _mode(request_body),
            _mode(response_body),
        ),
        list(services),
        # An interpreter is expensive to start: let the operator keep it for many calls.
        Reuse.SERIAL,
    )


def _parts(names):
    parts = Part(0)
    for name in names:
        parts |= Part[name.upper().replace("-", "_")]
    return parts


def _mode(body):
    if body == "chunks":
        return BodyMode.CHUNKS
    return BodyMode.BUFFERED if body else BodyMode.NONE


def _fields(names):
    if names == ALL:
        return FieldSelection_All()
    return FieldSelection_Named(list(names)) if names else FieldSelection_None_()


def header(head, name):
    """The value of a header field, or None when it is absent, there more than once, or not UTF-8."""
    values = [value for field, value in head.fields if field == name.lower()]
    if len(values) != 1:
        return None
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        return None


def response(status, text="", headers=None):
    """A whole response. Text and header values are `str` or `bytes`."""
    fields = [(name, _bytes(value)) for name, value in (headers or {}).items()]
    return types.FullResponse(types.ResponseHead(status, fields), _bytes(text))


def json_response(status, value, headers=None):
    """A whole response with a JSON body."""
    return response(status, json.dumps(value), {"content-type": "application/json"} | (headers or {}))


def set_field(name, value):
    """Replaces every value of a header field by this one."""
    return types.FieldEdit_Set((name, _bytes(value)))


def append_field(name, value):
    """Adds a value to a header field."""
    return types.FieldEdit_Append((name, _bytes(value)))


def remove_field(name):
    """Takes a header field away."""
    return types.FieldEdit_Remove(name)


def refuse_config(*errors):
    """Raised in `configure`: pairs of a JSON pointer and what is wrong there."""
    return Err([ConfigError(at, message) for at, message in errors])


def unavailable(text):
    """Raised in a hook: something it depends on does not answer."""
    return Err(types.Fault_Unavailable(text))


def internal(text):
    """Raised in a hook: it cannot go on. A Python exception that nobody catches means the same."""
    return Err(types.Fault_Internal(text))


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


# Each kind's own short ways; a plugin has the bindings of the kinds that it exports, and of no others.

try:
    from wit_world.exports import authorizer as _authorizer

    ABSTAIN = _authorizer.Decision_Abstain()

    def allow(principal, *, context=None, usage_key=None, scopes=(), policy=(), upstream_edits=(), ttl_ms=None):
        """Yes: who the caller is, and what follows from it. `context` becomes `auth.NAME`, as text."""
        attributes = [(name, types.Value_Text(value)) for name, value in (context or {}).items()]
        return _authorizer.Decision_Allow(
            _authorizer.Grant(
                principal, attributes, usage_key, list(scopes), list(policy), list(upstream_edits), ttl_ms
            )
        )

    def deny(status, text, *, reason, headers=None, ttl_ms=None):
        """No: what the client is told, and what the access log is."""
        return _authorizer.Decision_Deny(_authorizer.Denial(response(status, text, headers), reason, ttl_ms))

except ImportError:
    pass

try:
    from wit_world.exports import request_transform as _request

    def proceed_request(*, method=None, path=None, query=None, authority=None, fields=(), body=None, attributes=()):
        """The request goes on, with these changes. None leaves a thing as it is."""
        return _request.RequestOutcome_Proceed(
            _request.RequestEdits(
                _text(method), _text(path), _text(query), _text(authority), list(fields), _body(body), list(attributes)
            )
        )

    def answer(response):
        """The request does not go on; this is the response."""
        return _request.RequestOutcome_Respond(response)

except ImportError:
    pass

try:
    from wit_world.exports import response_transform as _response

    def proceed_response(*, status=None, fields=(), body=None, attributes=()):
        """The response goes on, with these changes. None leaves a thing as it is."""
        return _response.ResponseOutcome_Proceed(
            _response.ResponseEdits(status, list(fields), _body(body), list(attributes))
        )

    def replace(response):
        """This response goes on instead."""
        return _response.ResponseOutcome_Replace(response)

except ImportError:
    pass


def _text(text):
    return types.TextEdit_Keep() if text is None else types.TextEdit_Set(text)


def _body(body):
    return types.BodyEdit_Keep() if body is None else types.BodyEdit_Replace(_bytes(body))
