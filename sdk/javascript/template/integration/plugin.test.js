import assert from "node:assert/strict";
import { test } from "node:test";

import { decode } from "./gatewright.js";
import { integration, lifecycle } from "./plugin.js";

function ask(query) {
  lifecycle.configure('{"greeting":"Hello"}');
  const { head, body } = integration.handle({ request: { query } });
  return [head.status, JSON.parse(decode(body)).message];
}

test("who has a name is greeted", () => {
  assert.deepEqual(ask("name=Ada+L%2E"), [200, "Hello, Ada L.!"]);
});

test("who has none is asked for it", () => {
  for (const query of [undefined, "", "name=a&name=b", "name=%ff"]) assert.equal(ask(query)[0], 400);
});
