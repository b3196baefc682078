import sys
import types
import unittest

sys.path.insert(0, "bindings")

import app
from wit_world.exports.authorizer import Decision_Allow, Decision_Deny


def ask(*fields):
    return app.Authorizer().authorize(types.SimpleNamespace(request=types.SimpleNamespace(fields=fields)))


class TestAuthorizer(unittest.TestCase):
    def setUp(self):
        app.Lifecycle().configure('{"word": "sesame"}')

    def test_who_knows_the_word_may_pass(self):
        self.assertIsInstance(ask(("authorization", b"Bearer sesame")), Decision_Allow)

    def test_nobody_else_may(self):
        for fields in [(), (("authorization", b"Bearer open"),), (("authorization", b"\xff"),)]:
            answer = ask(*fields)
            self.assertIsInstance(answer, Decision_Deny)
            self.assertEqual(answer.value.response.head.status, 401)


if __name__ == "__main__":
    unittest.main()
