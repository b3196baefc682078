import assert from "node:assert/strict";
import { test } from "node:test";

import { encode, setField } from "./gatewright.js";
import { lifecycle, requestTransform } from "./build/javascript/plugin.js";

function ask(...fields) {
  lifecycle.configure('{"tag":"blue"}');
  return requestTransform.transformRequest({ request: { fields } });
}

test("a request is tagged", () => {
  const { tag, val } = ask();
  assert.deepEqual([tag, val.fields], ["proceed", [setField("x-tag", "blue")]]);
});

test("a forged tag is refused", () => {
  const { tag, val } = ask(["x-tag", encode("red")]);
  assert.deepEqual([tag, val.head.status], ["respond", 400]);
});
