import sys
import unittest
from types import SimpleNamespace

sys.path.insert(0, "bindings")

import app
import gatewright


def opened(content_type):
    head = gatewright.response(200, headers={"content-type": content_type}).head
    return app.BodyFilter().open(SimpleNamespace(response=head))


class TestBodyFilter(unittest.TestCase):
    def test_every_line_is_marked_wherever_the_chunks_end(self):
        app.Lifecycle().configure('{"mark": "> "}')
        body = opened("text/plain; charset=utf-8")
        passed = b"".join(body.push(chunk) for chunk in (b"go", b"ld\n", b"and silver\n")) + body.finish()
        self.assertEqual(passed, b"> gold\n> and silver\n")

    def test_what_is_no_text_passes_by(self):
        self.assertIsNone(opened("image/png"))


if __name__ == "__main__":
    unittest.main()
