"""Every kind and every service once; `tests/frozen/README.md` says what it does."""

import json

import body_filter
import gatewright
import wit_world.exports
from componentize_py_types import Ok
from wit_world.imports import cache, clock, counters, http_client, kv, log, metrics, random, secrets, types

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["greeting", "origin"],
    "properties": {"greeting": {"type": "string"}, "origin": {"type": "string"}},
}
PARTS = "method authority path query parameters route peer certificate attributes trace-parent".split()
SERVICES = "kv cache counters secrets http-client metrics clock random".split()
MINUTE = 60_000

config = {}


class Lifecycle(wit_world.exports.Lifecycle):
    def describe(self):
        return gatewright.info(
            "frozen",
            "0.1.0",
            "Every kind and every service, in Python.",
            config_schema=SCHEMA,
            parts=PARTS,
            request_fields=["x-user", "x-answer", "x-tier"],
            response_fields=["content-type"],
            request_body=True,
            response_body="chunks",
            services=SERVICES,
        )

    def configure(self, text):
        config.update(json.loads(text))
        if config["greeting"] == "wrong":
            raise gatewright.refuse_config(("/greeting", "is wrong"))


class Authorizer(wit_world.exports.Authorizer):
    def authorize(self, question):
        user = gatewright.header(question.request, "x-user")
        if user is None:
            return gatewright.ABSTAIN
        if user == "faulty":
            raise gatewright.unavailable("asked to fail")
        if user == "mallory":
            return gatewright.deny(403, "not you", reason="mallory")
        return gatewright.allow(user, context={"tier": "gold"}, usage_key="plan", scopes=["read"], ttl_ms=0)


class RequestTransform(wit_world.exports.RequestTransform):
    def transform_request(self, question):
        if gatewright.header(question.request, "x-answer"):
            return gatewright.answer(gatewright.response(418, "answered"))
        return gatewright.proceed_request(
            query="frozen=1",
            fields=[gatewright.set_field("x-tier", attribute(question.exchange, "auth.tier"))],
            body=question.body + b"!",
            attributes=[("seen", types.Value_Truth(True))],
        )


class Integration(wit_world.exports.Integration):
    def handle(self, question):
        request = question.request
        if request.path.endswith("/services"):
            said = services()
        else:
            tier = gatewright.header(request, "x-tier")
            principal = attribute(question.exchange, "auth.principal")
            target = f"{request.path}?{request.query or ''}"
            said = f"{config['greeting']} {request.method} {target} {tier} {principal} {question.body.decode()}"
        return gatewright.response(200, said, {"content-type": "text/plain"})


class ResponseTransform(wit_world.exports.ResponseTransform):
    def transform_response(self, question):
        return gatewright.proceed_response(
            fields=[gatewright.set_field("x-frozen", config["greeting"])],
            attributes=[("status", types.Value_Integer(question.response.status))],
        )


class BodyFilter(wit_world.exports.BodyFilter):
    def open(self, question):
        content_type = gatewright.header(question.response, "content-type") or ""
        return body_filter.Filter() if content_type.startswith("text/plain") else None


def attribute(exchange, name):
    return dict(exchange.attributes)[name].value


def services():
    if log.enabled(log.Level.INFO):
        log.write(log.Level.INFO, "frozen", [("in", "python")])
    revision = kv.set("frozen", "k", b"old", MINUTE)
    kv.compare_and_set("frozen", "k", revision, b"new", None)
    kept = kv.get("frozen", "k").value.decode()
    kv.delete("frozen", "k")
    computed = isinstance(cache.get("frozen", "k", 0), cache.Found_Compute)
    cache.put("frozen", "k", b"cached", MINUTE)
    cached = cache.get("frozen", "k", None).value.decode()
    cache.forget("frozen", "k")
    counted = counters.add("frozen", "n", 2, MINUTE)
    bucket = counters.take("frozen", "b", 1, 10, 0.001)
    secret = secrets.get("FROZEN").decode()
    fields = [("x-from", b"frozen")]
    request = http_client.OutboundRequest("POST", config["origin"], fields, b"ping", None, None)
    sent = http_client.send(request)
    answers = [answer for answer in http_client.send_all([request, request]) if isinstance(answer, Ok)]
    metrics.add("frozen_total", 1, [("in", "python")])
    metrics.set("frozen_level", 0.5, [])
    metrics.observe("frozen_seconds", 0.25, [])
    time = clock.unix_nanos() > 0 and clock.monotonic_nanos() <= clock.monotonic_nanos()
    different = len(random.bytes(16)) == 16 and random.number() != random.number()
    return (
        f"kv={kept} cache={shown(computed)},{cached} counters={counted},{shown(bucket.allowed)},{bucket.remaining} "
        f"secret={secret} http={sent.head.status},{sent.body.decode()},{len(answers)} "
        f"time={shown(time)} random={shown(different)}"
    )


def shown(truth):
    return "true" if truth else "false"
