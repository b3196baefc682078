import assert from "node:assert/strict";
import { test } from "node:test";

import { encode } from "./gatewright.js";
import { authorizer, lifecycle } from "./plugin.js";

function ask(...fields) {
  lifecycle.configure('{"word":"sesame"}');
  return authorizer.authorize({ request: { fields } });
}

test("who knows the word may pass", () => {
  assert.equal(ask(["authorization", encode("Bearer sesame")]).tag, "allow");
});

test("nobody else may", () => {
  for (const fields of [[], [["authorization", encode("Bearer open")]], [["authorization", Uint8Array.of(255)]]]) {
    const { tag, val } = ask(...fields);
    assert.deepEqual([tag, val.response.head.status], ["deny", 401]);
  }
});
