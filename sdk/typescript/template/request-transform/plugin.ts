// A request transform: tags requests on their way to the upstream.

import { answer, info, type Lifecycle, proceedRequest, type RequestTransform, response, setField } from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["tag"],
  properties: {
    tag: { description: "What the upstream is told.", type: "string", pattern: "^[!-~]+$" },
  },
};

interface Config {
  tag: string;
}

let config: Config;

export const lifecycle: Lifecycle = {
  describe() {
    return info({
      name: "{{name}}",
      version: "0.1.0",
      description: "Tells the upstream a tag that no client can forge.",
      configSchema,
      requestFields: ["x-tag"],
    });
  },
  configure(text) {
    // The gateway has compared it with the schema already.
    config = JSON.parse(text) as Config;
  },
};

export const requestTransform: RequestTransform = {
  transformRequest({ request }) {
    if (request.fields.length) return answer(response(400, "x-tag is not yours to send\n"));
    return proceedRequest({ fields: [setField("x-tag", config.tag)] });
  },
};
