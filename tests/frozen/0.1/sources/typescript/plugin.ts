// Every kind and every service once; `tests/frozen/README.md` says what it does.

import { get as cacheGet, forget, put } from "gatewright:plugin/cache@0.1.0";
import { monotonicNanos, unixNanos } from "gatewright:plugin/clock@0.1.0";
import { add as count, take } from "gatewright:plugin/counters@0.1.0";
import { type OutboundRequest, send, sendAll } from "gatewright:plugin/http-client@0.1.0";
import { compareAndSet, delete as kvDelete, get as kvGet, set as kvSet } from "gatewright:plugin/kv@0.1.0";
import { enabled, write } from "gatewright:plugin/log@0.1.0";
import { add as metricAdd, observe, set as metricSet } from "gatewright:plugin/metrics@0.1.0";
import { bytes as randomBytes, number } from "gatewright:plugin/random@0.1.0";
import { get as secret } from "gatewright:plugin/secrets@0.1.0";
import {
  abstain,
  allow,
  answer,
  type Authorizer,
  type BodyFilter,
  type Bytes,
  decode,
  deny,
  encode,
  type Exchange,
  type Filter,
  header,
  info,
  type Integration,
  type Lifecycle,
  proceedRequest,
  proceedResponse,
  type RequestTransform,
  response,
  type ResponseTransform,
  setField,
} from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  required: ["greeting", "origin"],
  properties: { greeting: { type: "string" }, origin: { type: "string" } },
};
const MINUTE = 60_000;

interface Config {
  greeting: string;
  origin: string;
}

let config: Config;

export const lifecycle: Lifecycle = {
  describe() {
    return info({
      name: "frozen",
      version: "0.1.0",
      description: "Every kind and every service, in TypeScript.",
      configSchema,
      parts: ["method", "authority", "path", "query", "parameters", "route", "peer", "certificate", "attributes", "traceParent"],
      requestFields: ["x-user", "x-answer", "x-tier"],
      responseFields: ["content-type"],
      requestBody: true,
      responseBody: "chunks",
      services: ["kv", "cache", "counters", "secrets", "http-client", "metrics", "clock", "random"],
    });
  },
  configure(text) {
    config = JSON.parse(text) as Config;
    if (config.greeting === "wrong") throw [{ at: "/greeting", message: "is wrong" }];
  },
};

export const authorizer: Authorizer = {
  authorize({ request }) {
    const user = header(request, "x-user");
    if (user === undefined) return abstain();
    if (user === "faulty") throw { tag: "unavailable", val: "asked to fail" };
    if (user === "mallory") return deny(403, "not you", { reason: "mallory" });
    return allow(user, { context: { tier: "gold" }, usageKey: "plan", scopes: ["read"], ttl: 0 });
  },
};

export const requestTransform: RequestTransform = {
  transformRequest({ exchange, request, body }) {
    if (header(request, "x-answer")) return answer(response(418, "answered"));
    return proceedRequest({
      query: "frozen=1",
      fields: [setField("x-tier", attribute(exchange, "auth.tier"))],
      body: `${decode(body ?? encode(""))}!`,
      attributes: [["seen", { tag: "truth", val: true }]],
    });
  },
};

export const integration: Integration = {
  handle({ exchange, request, body }) {
    const said = request.path?.endsWith("/services")
      ? services()
      : `${config.greeting} ${request.method} ${request.path}?${request.query ?? ""} ${header(request, "x-tier")} ${attribute(exchange, "auth.principal")} ${decode(body)}`;
    return response(200, said, { "content-type": "text/plain" });
  },
};

export const responseTransform: ResponseTransform = {
  transformResponse({ response }) {
    return proceedResponse({
      fields: [setField("x-frozen", config.greeting)],
      attributes: [["status", { tag: "number", val: response.status }]],
    });
  },
};

class Upper implements Filter {
  push(chunk: Bytes): Bytes {
    return chunk.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte));
  }

  finish(): Bytes {
    return encode(".");
  }
}

export const bodyFilter: BodyFilter = {
  Filter: Upper,
  open({ response }) {
    return response && header(response, "content-type")?.startsWith("text/plain") ? new Upper() : undefined;
  },
};

function attribute(exchange: Exchange, name: string): string {
  return String(exchange.attributes?.find(([known]) => known === name)?.[1].val ?? "");
}

function services(): string {
  if (enabled("info")) write("info", "frozen", [["in", "typescript"]]);
  const revision = kvSet("frozen", "k", encode("old"), MINUTE);
  compareAndSet("frozen", "k", revision, encode("new"), undefined);
  const kept = decode(kvGet("frozen", "k")?.value ?? encode(""));
  kvDelete("frozen", "k");
  const computed = cacheGet("frozen", "k", 0).tag === "compute";
  put("frozen", "k", encode("cached"), MINUTE);
  const found = cacheGet("frozen", "k", undefined);
  const cached = found.tag === "value" ? decode(found.val) : "";
  forget("frozen", "k");
  const counted = count("frozen", "n", 2, MINUTE);
  const bucket = take("frozen", "b", 1, 10, 0.001);
  const word = decode(secret("FROZEN"));
  const request: OutboundRequest = { method: "POST", url: config.origin, fields: [["x-from", encode("frozen")]], body: encode("ping") };
  const sent = send(request);
  const all = sendAll([request, request]);
  metricAdd("frozen_total", 1, [["in", "typescript"]]);
  metricSet("frozen_level", 0.5, []);
  observe("frozen_seconds", 0.25, []);
  const time = unixNanos() > 0 && monotonicNanos() <= monotonicNanos();
  const random = randomBytes(16).length === 16 && number() !== number();
  return `kv=${kept} cache=${computed},${cached} counters=${counted},${bucket.allowed},${bucket.remaining} secret=${word} http=${sent.head.status},${decode(sent.body)},${all.length} time=${time} random=${random}`;
}
