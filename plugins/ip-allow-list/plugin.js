// An authorizer: lets those pass whose address is in one of some networks. This file speaks to the gateway; `network.js`
// knows addresses.

import { allow, deny, info } from "./gatewright.js";
import { Network, parseAddress } from "./network.js";

const networks = {
  type: "array",
  items: { type: "string", minLength: 2 },
};
const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "ip-allow-list",
  type: "object",
  additionalProperties: false,
  required: ["allow"],
  properties: {
    allow: { ...networks, description: "Networks whose clients pass: `10.0.0.0/8`, `2001:db8::/32`.", minItems: 1 },
    deny: { ...networks, description: "Networks whose clients do not, though they are in one of the others.", default: [] },
  },
};

let allowed = [];
let denied = [];

export const lifecycle = {
  describe() {
    return info({
      name: "ip-allow-list",
      version: "0.1.0",
      description: "Lets clients pass by their address.",
      configSchema,
      parts: ["peer"],
    });
  },
  configure(text) {
    // The gateway has compared it with the schema already; what a network is, the schema cannot say.
    const config = JSON.parse(text);
    const errors = [];
    const parse = (list, at) =>
      list.flatMap((text, index) => {
        const network = Network.parse(text);
        if (!network) errors.push({ at: `/${at}/${index}`, message: `\`${text}\` is no network such as 10.0.0.0/8` });
        return network ?? [];
      });
    allowed = parse(config.allow, "allow");
    denied = parse(config.deny ?? [], "deny");
    if (errors.length) throw errors;
  },
};

export const authorizer = {
  authorize({ exchange }) {
    const address = parseAddress(exchange.peer.address);
    const isIn = (network) => network.has(address);
    if (address && allowed.some(isIn) && !denied.some(isIn)) return allow(exchange.peer.address);
    return deny(403, "not from there\n", { reason: `${exchange.peer.address} is not allowed` });
  },
};
