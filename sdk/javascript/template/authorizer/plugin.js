// An authorizer: whoever knows the word may pass.

import { allow, deny, header, info } from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["word"],
  properties: {
    word: { description: "What a client must say.", type: "string", minLength: 1 },
  },
};

let config;

export const lifecycle = {
  describe() {
    return info({
      name: "{{name}}",
      version: "0.1.0",
      description: "Lets those pass who know the word.",
      configSchema,
      requestFields: ["authorization"],
    });
  },
  configure(text) {
    // The gateway has compared it with the schema already.
    config = JSON.parse(text);
  },
};

export const authorizer = {
  authorize({ request }) {
    if (header(request, "authorization") === `Bearer ${config.word}`) {
      return allow("friend", { ttl: 60_000 });
    }
    return deny(401, "say the word\n", { reason: "wrong word", headers: { "www-authenticate": "Bearer" } });
  },
};
