"""The filter itself: componentize-py looks for the class `Filter` in a module that is called as its interface."""

import wit_world.exports.body_filter


class Filter(wit_world.exports.body_filter.Filter):
    """One body on its way. A chunk may end anywhere, so what is known of the line is kept."""

    def __init__(self, mark):
        self.mark = mark
        self.at_beginning = True

    def push(self, chunk):
        marked = chunk.replace(b"\n", b"\n" + self.mark)
        if self.at_beginning:
            marked = self.mark + marked
        self.at_beginning = chunk.endswith(b"\n")
        # The mark of a line is put where the line begins, which may be in the next chunk.
        return marked.removesuffix(self.mark) if self.at_beginning else marked

    def finish(self):
        # Nothing was held back.
        return b""
