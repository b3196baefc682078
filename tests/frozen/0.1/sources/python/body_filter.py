"""The filter: componentize-py looks for it in a module that is called as its interface."""

import wit_world.exports.body_filter


class Filter(wit_world.exports.body_filter.Filter):
    def push(self, chunk):
        return chunk.upper()

    def finish(self):
        return b"."
