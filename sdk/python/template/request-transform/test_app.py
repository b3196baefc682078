import sys
import types
import unittest

sys.path.insert(0, "bindings")

import app


def ask(*fields):
    question = types.SimpleNamespace(request=types.SimpleNamespace(fields=fields))
    return app.RequestTransform().transform_request(question).value


class TestRequestTransform(unittest.TestCase):
    def setUp(self):
        app.Lifecycle().configure('{"tag": "blue"}')

    def test_a_request_is_tagged(self):
        self.assertEqual([edit.value for edit in ask().fields], [("x-tag", b"blue")])

    def test_a_forged_tag_is_refused(self):
        self.assertEqual(ask(("x-tag", b"red")).head.status, 400)


if __name__ == "__main__":
    unittest.main()
