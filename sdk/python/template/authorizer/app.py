"""An authorizer: whoever knows the word may pass."""

import hmac
import json

import gatewright
import wit_world.exports

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["word"],
    "properties": {
        "word": {"description": "What a client must say.", "type": "string", "minLength": 1},
    },
}

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "{{name}}",
            "0.1.0",
            "Lets those pass who know the word.",
            config_schema=SCHEMA,
            request_fields=["authorization"],
        )

    def configure(self, text):
        # The gateway has compared it with the schema already.
        config.update(json.loads(text))


class Authorizer(wit_world.exports.Authorizer):
    def authorize(self, question):
        said = gatewright.header(question.request, "authorization") or ""
        # Takes as long for a wrong word as for the right one.
        if hmac.compare_digest(said.encode(), f"Bearer {config['word']}".encode()):
            return gatewright.allow("friend", ttl_ms=60_000)
        return gatewright.deny(
            401, "say the word\n", reason="wrong word", headers={"www-authenticate": "Bearer"}
        )
