// An integration: the plugin is the upstream, and greets.

import { info, json } from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["greeting"],
  properties: {
    greeting: { description: "What comes before the name.", type: "string", minLength: 1 },
  },
};

let config;

export const lifecycle = {
  describe() {
    return info({ name: "{{name}}", version: "0.1.0", description: "Greets.", configSchema, parts: ["query"] });
  },
  configure(text) {
    // The gateway has compared it with the schema already.
    config = JSON.parse(text);
  },
};

export const integration = {
  handle({ request }) {
    const names = (request.query ?? "").split("&").filter((pair) => pair.startsWith("name="));
    if (names.length !== 1) return json(400, { message: "`name` is not there once" });
    try {
      const name = decodeURIComponent(names[0].slice("name=".length).replaceAll("+", " "));
      return json(200, { message: `${config.greeting}, ${name}!` });
    } catch {
      return json(400, { message: "`name` is not UTF-8" });
    }
  },
};
