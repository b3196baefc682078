import assert from "node:assert/strict";
import { test } from "node:test";

import { Network, parseAddress } from "./network.js";
import { authorizer, lifecycle } from "./plugin.js";

function ask(address) {
  return authorizer.authorize({ exchange: { peer: { address } } });
}

test("a client in an allowed network passes, as its address", () => {
  lifecycle.configure('{"allow":["10.0.0.0/8","2001:db8::/32","192.0.2.7"],"deny":["10.1.0.0/16"]}');
  for (const address of ["10.0.0.1", "10.255.0.1", "2001:db8:1::1", "192.0.2.7", "::ffff:10.0.0.1"]) {
    const { tag, val } = ask(address);
    assert.deepEqual([tag, val.principal], ["allow", address]);
  }
  for (const address of ["11.0.0.1", "10.1.2.3", "2001:db9::1", "192.0.2.8", "::10.0.0.1", ""]) {
    const { tag, val } = ask(address);
    assert.deepEqual([tag, val.response.head.status], ["deny", 403], address);
  }
});

test("every network that is none is named", () => {
  const configure = () => lifecycle.configure('{"allow":["10.0.0.0/8","10.0.0.1/8"],"deny":["here"]}');
  assert.throws(configure, (errors) => {
    assert.deepEqual(errors.map(({ at }) => at), ["/allow/1", "/deny/0"]);
    return true;
  });
});

test("addresses have one meaning or none", () => {
  assert.deepEqual(parseAddress("::1"), [...Array(15).fill(0), 1]);
  assert.deepEqual(parseAddress("1:2:3:4:5:6:7:8").length, 16);
  for (const text of ["010.0.0.1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8::", "::g", ":1", "1:"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
  for (const text of ["10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/8/8", "::/129"]) {
    assert.equal(Network.parse(text), undefined, text);
  }
  assert.ok(Network.parse("0.0.0.0/0").has([1, 2, 3, 4]));
});
