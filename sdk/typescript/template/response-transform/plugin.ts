// A response transform: tags responses on their way to the client.

import { info, type Lifecycle, proceedResponse, removeField, type ResponseTransform, setField } from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["tag"],
  properties: {
    tag: { description: "What the client is told.", type: "string", pattern: "^[!-~]+$" },
  },
};

interface Config {
  tag: string;
}

let config: Config;

export const lifecycle: Lifecycle = {
  describe() {
    return info({ name: "{{name}}", version: "0.1.0", description: "Tells the client a tag.", configSchema });
  },
  configure(text) {
    // The gateway has compared it with the schema already.
    config = JSON.parse(text) as Config;
  },
};

export const responseTransform: ResponseTransform = {
  transformResponse() {
    return proceedResponse({ fields: [setField("x-tag", config.tag), removeField("server")] });
  },
};
