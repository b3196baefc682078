import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, response } from "./gatewright.js";
import { bodyFilter, lifecycle } from "./plugin.js";

const open = (type) => bodyFilter.open({ response: response(200, "", { "content-type": type }).head });

test("every line is marked wherever the chunks end", () => {
  lifecycle.configure('{"mark":"> "}');
  const filter = open("text/plain; charset=utf-8");
  const passed = ["go", "ld\n", "and silver\n"].map((chunk) => decode(filter.push(encode(chunk))));
  assert.equal(passed.join("") + decode(filter.finish()), "> gold\n> and silver\n");
});

test("what is no text passes by", () => {
  assert.equal(open("image/png"), undefined);
});
