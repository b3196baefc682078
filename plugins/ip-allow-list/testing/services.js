// The gateway's services as tests have them: nothing is granted until a test says so, and everything can be looked into.
//
//   import { services } from "./testing/services.js";
//
//   services.reset();
//   services.secrets.KEY = "hunter2";
//   services.stores.sessions = { alice: "since monday" };
//   services.answer = ({ url }) => ({ status: 200, body: `you asked ${url}` });

const encoder = new TextEncoder();
const bytes = (value) => (typeof value === "string" ? encoder.encode(value) : value);

/** What tests set, and what plugins have done. */
export const services = {
  /** By name: text or bytes. */
  secrets: {},
  /** By name: an object of what is in the store, text or bytes by key. */
  stores: {},
  /** By name: an object of what is in the cache. */
  caches: {},
  /** By name: an object of counts by key. */
  counters: {},
  /** What a request of the plugin is answered: `{ status, headers, body }`, or a thrown `refusal(…)`. */
  answer: undefined,
  /** Milliseconds since 1970. The clock stands still. */
  now: 1_700_000_000_000,
  /** What was logged: `{ level, message, fields }`. */
  logs: [],
  /** What was counted: `{ operation, name, value, labels }`. */
  metrics: [],
  /** What was sent: requests as `http-client` takes them. */
  requests: [],

  /** As it was at first. */
  reset() {
    Object.assign(this, { secrets: {}, stores: {}, caches: {}, counters: {}, answer: undefined, now: 1_700_000_000_000 });
    Object.assign(this, { logs: [], metrics: [], requests: [] });
    revision = 0;
  },
};

/** An error as services throw it: what it is stands in `error.payload`. */
export function refusal(tag, val) {
  return Object.assign(new Error(`the service refused: ${tag}`), { payload: val === undefined ? { tag } : { tag, val } });
}

let revision = 0;
const revisions = new WeakMap();

/** An object that a test has granted by name. */
function granted(all, name, tag) {
  if (!Object.hasOwn(all, name)) throw refusal(tag);
  return all[name];
}

function revisionsOf(store) {
  if (!revisions.has(store)) revisions.set(store, {});
  return revisions.get(store);
}

function kvGet(name, key) {
  const store = granted(services.stores, name, "no-such-store");
  if (!Object.hasOwn(store, key)) return null;
  return { value: bytes(store[key]), revision: (revisionsOf(store)[key] ??= ++revision) };
}

function kvSet(name, key, value) {
  const store = granted(services.stores, name, "no-such-store");
  store[key] = value;
  return (revisionsOf(store)[key] = ++revision);
}

function send(request) {
  services.requests.push(request);
  if (!services.answer) throw refusal("forbidden");
  const { status = 200, headers = {}, body = "" } = services.answer(request);
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), bytes(value)]);
  return { head: { status, fields }, body: bytes(body) };
}

function sendAll(requests) {
  return requests.map((request) => {
    try {
      return { tag: "ok", val: send(request) };
    } catch (error) {
      if (error.payload === undefined) throw error;
      return { tag: "err", val: error.payload };
    }
  });
}

function measured(operation) {
  return (name, value, labels) => void services.metrics.push({ operation, name, value, labels });
}

/** By the names of their interfaces, with the functions that those have. */
export const modules = {
  log: {
    enabled: () => true,
    write: (level, message, fields) => void services.logs.push({ level, message, fields }),
  },
  kv: {
    get: kvGet,
    set: kvSet,
    compareAndSet(name, key, expected, value) {
      const found = kvGet(name, key);
      return (found?.revision ?? undefined) === (expected ?? undefined) ? kvSet(name, key, value) : null;
    },
    delete(name, key) {
      delete granted(services.stores, name, "no-such-store")[key];
    },
  },
  cache: {
    get(name, key) {
      const cache = granted(services.caches, name, "no-such-cache");
      return Object.hasOwn(cache, key) ? { tag: "value", val: bytes(cache[key]) } : { tag: "compute" };
    },
    put(name, key, value) {
      granted(services.caches, name, "no-such-cache")[key] = value;
    },
    forget(name, key) {
      delete granted(services.caches, name, "no-such-cache")[key];
    },
  },
  counters: {
    add(name, key, delta) {
      const counts = granted(services.counters, name, "no-such-counter");
      return (counts[key] = (counts[key] ?? 0) + delta);
    },
    take(name, key, tokens, capacity) {
      const counts = granted(services.counters, name, "no-such-counter");
      const left = capacity - (counts[key] ?? 0);
      if (left < tokens) return { allowed: false, remaining: left, retryAfter: 1000 };
      counts[key] = (counts[key] ?? 0) + tokens;
      return { allowed: true, remaining: left - tokens, retryAfter: 0 };
    },
  },
  secrets: {
    get: (name) => bytes(granted(services.secrets, name, "not-granted")),
  },
  "http-client": { send, sendAll },
  metrics: { add: measured("add"), set: measured("set"), observe: measured("observe") },
  clock: {
    unixNanos: () => services.now * 1_000_000,
    monotonicNanos: () => services.now * 1_000_000,
  },
  random: {
    bytes: (length) => new Uint8Array(length).fill(4),
    number: () => 4,
  },
};
