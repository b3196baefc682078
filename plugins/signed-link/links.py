"""Links that are signed and expire. Nothing of the gateway's is here, so it can be tested, and used to sign."""

import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode


class BadLink(Exception):
    """Why a link is not good. For the log."""


class Links:
    def __init__(self, key, longest_seconds):
        self.key = key
        self.longest_seconds = longest_seconds

    def sign(self, method, path, signer, expires):
        """The query of a good link: `signer` is who gave it out, `expires` is seconds since 1970."""
        given = [("signer", signer), ("expires", str(expires))]
        return urlencode([*given, ("signature", self._signature(method, path, given))])

    def check(self, method, path, query, now):
        """Who gave the link out."""
        pairs = parse_qsl(query, keep_blank_values=True)
        # What stands twice could mean one thing here and another upstream.
        if sorted(name for name, _ in pairs) != ["expires", "signature", "signer"]:
            raise BadLink("not exactly `signer`, `expires` and `signature`")
        given = dict(pairs)
        # The signature first: before it is good, nothing else is worth reading.
        expected = self._signature(method, path, [(name, given[name]) for name in ("signer", "expires")])
        if not hmac.compare_digest(expected.encode(), given["signature"].encode()):
            raise BadLink("wrong signature")
        expires = int(given["expires"])
        if expires <= now:
            raise BadLink("expired")
        if expires > now + self.longest_seconds:
            raise BadLink("good for longer than links may be")
        return given["signer"]

    def _signature(self, method, path, given):
        # A link to look at something is not one to delete it; HEAD asks for less than GET.
        signed = "\n".join(["GET" if method == "HEAD" else method, path, urlencode(given)])
        return hmac.new(self.key, signed.encode(), hashlib.sha256).hexdigest()
