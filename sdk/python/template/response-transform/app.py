"""A response transform: tags responses on their way to the client."""

import json

import gatewright
import wit_world.exports

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["tag"],
    "properties": {
        "tag": {"description": "What the client is told.", "type": "string", "pattern": "^[!-~]+$"},
    },
}

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "{{name}}", "0.1.0", "Tells the client a tag.", config_schema=SCHEMA
        )

    def configure(self, text):
        # The gateway has compared it with the schema already.
        config.update(json.loads(text))


class ResponseTransform(wit_world.exports.ResponseTransform):
    def transform_response(self, question):
        return gatewright.proceed_response(
            fields=[gatewright.set_field("x-tag", config["tag"]), gatewright.remove_field("server")]
        )
