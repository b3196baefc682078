import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode } from "./build/javascript/gatewright.js";
import { lifecycle, responseTransform } from "./build/javascript/plugin.js";

// Names and new values of the fields; null where one is taken away.
function ask(config, scheme, ...fields) {
  lifecycle.configure(JSON.stringify(config));
  const response = { status: 200, fields: fields.map(([name, value]) => [name, encode(value)]) };
  const { tag, val } = responseTransform.transformResponse({ request: { scheme }, response });
  assert.equal(tag, "proceed");
  return Object.fromEntries(val.fields.map((edit) => (edit.tag === "remove" ? [edit.val, null] : [edit.val[0], decode(edit.val[1])])));
}

test("pages get everything, other things what is theirs", () => {
  const page = ask({}, "https", ["content-type", "Text/HTML; charset=utf-8"]);
  assert.equal(page["content-security-policy"], "default-src 'self'");
  assert.equal(page["strict-transport-security"], "max-age=31536000");
  assert.equal(page["x-frame-options"], "DENY");
  assert.equal(page.server, null);
  const other = ask({}, "https", ["content-type", "application/json"]);
  assert.ok(!("content-security-policy" in other) && other["x-content-type-options"] === "nosniff");
});

test("a page's own policy stays, and plain HTTP promises no HTTPS", () => {
  const page = ask({ frames: "same-origin" }, "http", ["content-type", "text/html"], ["content-security-policy", "default-src *"]);
  assert.ok(!("content-security-policy" in page) && !("strict-transport-security" in page));
  assert.equal(page["x-frame-options"], "SAMEORIGIN");
});

test("what is not a plugin's to remove is refused", () => {
  const configure = () => lifecycle.configure('{"hide":["server","Upgrade"]}');
  assert.throws(configure, ([error]) => error.at === "/hide/1");
});
