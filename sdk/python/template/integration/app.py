"""An integration: the plugin is the upstream, and greets."""

import json
from urllib.parse import parse_qs

import gatewright
import wit_world.exports

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["greeting"],
    "properties": {
        "greeting": {"description": "What comes before the name.", "type": "string", "minLength": 1},
    },
}

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info("{{name}}", "0.1.0", "Greets.", config_schema=SCHEMA, parts=["query"])

    def configure(self, text):
        # The gateway has compared it with the schema already.
        config.update(json.loads(text))


class Integration(wit_world.exports.Integration):
    def handle(self, question):
        names = parse_qs(question.request.query or "").get("name", [])
        if len(names) != 1:
            return gatewright.json_response(400, {"message": "`name` is not there once"})
        return gatewright.json_response(200, {"message": f"{config['greeting']}, {names[0]}!"})
