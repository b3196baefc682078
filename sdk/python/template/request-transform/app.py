"""A request transform: tags requests on their way to the upstream."""

import json

import gatewright
import wit_world.exports

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["tag"],
    "properties": {
        "tag": {"description": "What the upstream is told.", "type": "string", "pattern": "^[!-~]+$"},
    },
}

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "{{name}}",
            "0.1.0",
            "Tells the upstream a tag that no client can forge.",
            config_schema=SCHEMA,
            request_fields=["x-tag"],
        )

    def configure(self, text):
        # The gateway has compared it with the schema already.
        config.update(json.loads(text))


class RequestTransform(wit_world.exports.RequestTransform):
    def transform_request(self, question):
        if question.request.fields:
            return gatewright.answer(gatewright.response(400, "x-tag is not yours to send\n"))
        return gatewright.proceed_request(fields=[gatewright.set_field("x-tag", config["tag"])])
