import json
import sys
import types
import unittest

sys.path.insert(0, "bindings")

import app
from componentize_py_types import Err
from links import BadLink, Links
from wit_world.exports.authorizer import Decision_Allow, Decision_Deny

KEY = "a key that is long enough for HMAC"
NOW = 1_800_000_000
LINKS = Links(KEY.encode(), 3600)


class TestLinks(unittest.TestCase):
    def test_a_signed_link_is_good_until_it_expires(self):
        query = LINKS.sign("GET", "/report", "alice", NOW + 60)
        self.assertEqual(LINKS.check("GET", "/report", query, NOW), "alice")
        self.assertEqual(LINKS.check("HEAD", "/report", query, NOW), "alice")
        with self.assertRaisesRegex(BadLink, "expired"):
            LINKS.check("GET", "/report", query, NOW + 60)

    def test_a_link_is_good_for_what_was_signed_and_for_nothing_else(self):
        query = LINKS.sign("GET", "/report", "alice", NOW + 60)
        for method, path, query in [
            ("DELETE", "/report", query),
            ("GET", "/reports", query),
            ("GET", "/report", query.replace("alice", "root")),
            ("GET", "/report", query.replace(f"expires={NOW + 60}", f"expires={NOW + 61}")),
            ("GET", "/report", query + "&signer=root"),
            ("GET", "/report", query + "&more=1"),
            ("GET", "/report", query[:-1] + "%E4"),
            ("GET", "/report", ""),
        ]:
            with self.assertRaises(BadLink, msg=f"{method} {path}?{query}"):
                LINKS.check(method, path, query, NOW)

    def test_a_link_is_not_good_for_ever(self):
        with self.assertRaisesRegex(BadLink, "longer"):
            LINKS.check("GET", "/", LINKS.sign("GET", "/", "alice", NOW + 3601), NOW)


class TestPlugin(unittest.TestCase):
    def ask(self, query):
        app.Lifecycle().configure(json.dumps({"key": KEY}))
        request = types.SimpleNamespace(method="GET", path="/report", query=query)
        exchange = types.SimpleNamespace(received_unix_ms=NOW * 1000)
        return app.Authorizer().authorize(types.SimpleNamespace(request=request, exchange=exchange))

    def test_the_signer_is_the_principal(self):
        answer = self.ask(LINKS.sign("GET", "/report", "alice", NOW + 60))
        self.assertIsInstance(answer, Decision_Allow)
        self.assertEqual(answer.value.principal, "alice")

    def test_without_a_link_nobody_passes(self):
        answer = self.ask(None)
        self.assertIsInstance(answer, Decision_Deny)
        self.assertEqual(answer.value.response.head.status, 403)

    def test_a_poor_key_is_refused(self):
        with self.assertRaises(Err) as raised:
            app.Lifecycle().configure(json.dumps({"key": "a" * 40}))
        self.assertEqual(raised.exception.value[0].at, "/key")


if __name__ == "__main__":
    unittest.main()
