"""An authorizer: lets those pass who have a link that somebody with the key has signed, until it expires.

This file speaks to the gateway; `links.py` knows what a good link is.
"""

import json

import gatewright
import wit_world.exports
from links import BadLink, Links

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "signed-link",
    "type": "object",
    "additionalProperties": False,
    "required": ["key"],
    "properties": {
        "key": {"description": "Key of the HMAC.", "type": "string", "minLength": 32},
        "longest_seconds": {
            "description": "Links that are good for longer are refused.",
            "type": "integer",
            "minimum": 1,
            "maximum": 31_536_000,
            "default": 86_400,
        },
    },
}

links = None


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "signed-link",
            "0.1.0",
            "Checks links that are signed and expire.",
            config_schema=SCHEMA,
            parts=["method", "path", "query"],
        )

    def configure(self, text):
        global links
        # The gateway has compared it with the schema already.
        config = json.loads(text)
        if len(set(config["key"])) < 8:
            raise gatewright.refuse_config(("/key", "too few different characters for a key"))
        links = Links(config["key"].encode(), config.get("longest_seconds", 86_400))


class Authorizer(wit_world.exports.Authorizer):
    def authorize(self, question):
        request = question.request
        try:
            signer = links.check(request.method, request.path, request.query or "", question.exchange.received_unix_ms / 1000)
        except BadLink as error:
            # The client learns no more than that: what exactly is wrong helps only forgers.
            return gatewright.deny(403, "this link is not valid\n", reason=str(error))
        return gatewright.allow(signer, ttl_ms=0)
