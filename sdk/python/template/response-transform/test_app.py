import sys
import unittest

sys.path.insert(0, "bindings")

import app


class TestResponseTransform(unittest.TestCase):
    def test_a_response_is_tagged(self):
        app.Lifecycle().configure('{"tag": "blue"}')
        edits = app.ResponseTransform().transform_response(None).value
        self.assertEqual([edit.value for edit in edits.fields], [("x-tag", b"blue"), "server"])


if __name__ == "__main__":
    unittest.main()
