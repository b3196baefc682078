"""A body filter: puts a mark before each line of a response, however long the response is."""

import json

import body_filter
import gatewright
import wit_world.exports

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["mark"],
    "properties": {
        "mark": {"description": "What each line begins with.", "type": "string", "maxLength": 16},
    },
}

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "{{name}}",
            "0.1.0",
            "Quotes texts.",
            config_schema=SCHEMA,
            response_fields=["content-type"],
            response_body="chunks",
        )

    def configure(self, text):
        # The gateway has compared it with the schema already.
        config.update(json.loads(text))


class BodyFilter(wit_world.exports.BodyFilter):
    def open(self, question):
        content_type = gatewright.header(question.response, "content-type") or ""
        if not content_type.startswith("text/plain"):
            # What is no text passes by.
            return None
        return body_filter.Filter(config["mark"].encode())
