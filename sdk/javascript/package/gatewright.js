// Short ways to say what the plugin interface says at length. Everything here is plain data, as `wit/` describes it: names
// in camelCase, variants as `{ tag, val }`, bytes as Uint8Array.

/**
 * What `describe` answers. Parts are names such as "path": what is not asked for is undefined. Fields are a list of names,
 * or "all"; a body is wanted or not, or goes
 * through the filter in "chunks". Services are what the operator should know that it uses, such as "kv".
 */
export function info({ name, version, description, configSchema, parts = [], requestFields = [], responseFields = [], requestBody = false, responseBody = false, services = [] }) {
  return {
    name,
    version,
    description,
    configSchema: configSchema && JSON.stringify(configSchema),
    needs: {
      parts: flags(parts),
      requestFields: selection(requestFields),
      responseFields: selection(responseFields),
      requestBody: mode(requestBody),
      responseBody: mode(responseBody),
    },
    services,
    // An interpreter is expensive to start: let the operator keep it for many calls.
    reuse: "serial",
  };
}

const PARTS = ["method", "authority", "path", "query", "parameters", "route", "peer", "certificate", "attributes", "traceParent"];

function flags(parts) {
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown) throw new Error(`there is no part \`${unknown}\`; there are ${PARTS.join(", ")}`);
  return Object.fromEntries(parts.map((part) => [part, true]));
}

function mode(body) {
  return body === "chunks" ? "chunks" : body ? "buffered" : "none";
}

function selection(names) {
  if (names === "all") return { tag: "all" };
  return names.length ? { tag: "named", val: names } : { tag: "none" };
}

/** The value of a header field; undefined when it is absent, there more than once, or not UTF-8. */
export function header(head, name) {
  const wanted = name.toLowerCase();
  const values = head.fields.filter((field) => field[0] === wanted);
  if (values.length !== 1) return undefined;
  try {
    return decode(values[0][1]);
  } catch {
    return undefined;
  }
}

/** A whole response. */
export function response(status, text = "", headers = {}) {
  const fields = Object.entries(headers).map(([name, value]) => [name, encode(value)]);
  return { head: { status, fields }, body: encode(text) };
}

/** A whole response with a JSON body. */
export function json(status, value, headers = {}) {
  return response(status, JSON.stringify(value), { "content-type": "application/json", ...headers });
}

/** Yes: who the caller is, and what follows from it. `context` becomes `auth.NAME`, as text. */
export function allow(principal, { context = {}, usageKey, scopes = [], policy = [], upstreamEdits = [], ttl } = {}) {
  const attributes = Object.entries(context).map(([name, val]) => [name, { tag: "text", val }]);
  return { tag: "allow", val: { principal, context: attributes, usageKey, scopes, policy, upstreamEdits, ttl } };
}

/** No: what the client is told, and what the access log is (`reason`). */
export function deny(status, text, { reason = text, headers = {}, ttl } = {}) {
  return { tag: "deny", val: { response: response(status, text, headers), reason, ttl } };
}

/** The next authorizer of the route decides. */
export function abstain() {
  return { tag: "abstain" };
}

/** The request goes on, with these changes. What is not named stays as it is. */
export function proceedRequest({ method, path, query, authority, fields = [], body, attributes = [] } = {}) {
  const val = { method: text(method), path: text(path), query: text(query), authority: text(authority), fields, body: bytes(body), attributes };
  return { tag: "proceed", val };
}

/** The request does not go on; this is the response. */
export function answer(response) {
  return { tag: "respond", val: response };
}

/** The response goes on, with these changes. What is not named stays as it is. */
export function proceedResponse({ status, fields = [], body, attributes = [] } = {}) {
  return { tag: "proceed", val: { status, fields, body: bytes(body), attributes } };
}

/** This response goes on instead. */
export function replace(response) {
  return { tag: "replace", val: response };
}

/** Replaces every value of a header field by this one. */
export function setField(name, value) {
  return { tag: "set", val: [name, encode(value)] };
}

/** Adds a value to a header field. */
export function appendField(name, value) {
  return { tag: "append", val: [name, encode(value)] };
}

/** Takes a header field away. */
export function removeField(name) {
  return { tag: "remove", val: name };
}

/** The bytes of all pieces, in one block. Copying blocks is what an interpreter does fast; a loop over bytes is not. */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** UTF-8 of a text; what is bytes already stays as it is. */
export function encode(text) {
  if (typeof text !== "string") return text;
  // QuickJS has no TextEncoder. These two are old and native, which a loop that looks at each character twice is not.
  const binary = unescape(encodeURIComponent(text.toWellFormed()));
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** Text of UTF-8; throws when it is none. */
export function decode(bytes) {
  let binary = "";
  // In pieces, because arguments are on the stack.
  for (let at = 0; at < bytes.length; at += 4096) {
    binary += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
  }
  return decodeURIComponent(escape(binary));
}

function text(value) {
  return value === undefined ? { tag: "keep" } : { tag: "set", val: value };
}

function bytes(value) {
  return value === undefined ? { tag: "keep" } : { tag: "replace", val: encode(value) };
}
