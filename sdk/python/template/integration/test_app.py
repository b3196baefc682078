import json
import sys
import types
import unittest

sys.path.insert(0, "bindings")

import app


def ask(query):
    answer = app.Integration().handle(types.SimpleNamespace(request=types.SimpleNamespace(query=query)))
    return answer.head.status, json.loads(answer.body)


class TestIntegration(unittest.TestCase):
    def setUp(self):
        app.Lifecycle().configure('{"greeting": "Hello"}')

    def test_who_has_a_name_is_greeted(self):
        self.assertEqual(ask("name=Ada+L."), (200, {"message": "Hello, Ada L.!"}))

    def test_who_has_none_is_asked_for_it(self):
        for query in [None, "", "name=a&name=b"]:
            self.assertEqual(ask(query)[0], 400)


if __name__ == "__main__":
    unittest.main()
