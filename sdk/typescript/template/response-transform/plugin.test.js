import assert from "node:assert/strict";
import { test } from "node:test";

import { removeField, setField } from "./gatewright.js";
import { lifecycle, responseTransform } from "./build/javascript/plugin.js";

test("a response is tagged", () => {
  lifecycle.configure('{"tag":"blue"}');
  const { tag, val } = responseTransform.transformResponse();
  assert.deepEqual([tag, val.fields], ["proceed", [setField("x-tag", "blue"), removeField("server")]]);
});
