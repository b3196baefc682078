// A response transform: tells browsers to be careful, and strangers less about what runs behind the gateway.

import { info, proceedResponse, removeField, setField, type FieldEdit, type Lifecycle, type ResponseInput, type ResponseTransform } from "./gatewright.js";

interface Config {
  contentSecurityPolicy: string;
  frames: "deny" | "same-origin";
  hstsSeconds: number;
  hide: string[];
}

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "security-headers",
  type: "object",
  additionalProperties: false,
  properties: {
    content_security_policy: {
      description: "The policy of HTML pages that have none of their own.",
      type: "string",
      pattern: "^[ -~]+$",
      default: "default-src 'self'",
    },
    frames: {
      description: "Who may show a page in a frame.",
      enum: ["deny", "same-origin"],
      default: "deny",
    },
    hsts_seconds: {
      description: "How long browsers keep to HTTPS; 0: nothing is said. Never said over plain HTTP.",
      type: "integer",
      minimum: 0,
      maximum: 63_072_000,
      default: 31_536_000,
    },
    hide: {
      description: "Header fields that are taken away.",
      type: "array",
      items: { type: "string", pattern: "^[A-Za-z0-9-]+$" },
      default: ["server", "x-powered-by"],
    },
  },
};

// Not a plugin's to remove: an answer that tries is refused whole, so it is refused here, at load.
const NOT_OURS = ["connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

let config: Config;

export const lifecycle: Lifecycle = {
  describe() {
    return info({
      name: "security-headers",
      version: "0.1.0",
      description: "Adds the header fields that make browsers careful.",
      configSchema,
      responseFields: ["content-type", "content-security-policy"],
    });
  },
  configure(text) {
    // The gateway has compared it with the schema already, but has not filled in the defaults.
    const given = JSON.parse(text);
    config = {
      contentSecurityPolicy: given.content_security_policy ?? "default-src 'self'",
      frames: given.frames ?? "deny",
      hstsSeconds: given.hsts_seconds ?? 31_536_000,
      hide: given.hide ?? ["server", "x-powered-by"],
    };
    const errors = [...config.hide.entries()]
      .filter(([, name]) => NOT_OURS.includes(name.toLowerCase()))
      .map(([index, name]) => ({ at: `/hide/${index}`, message: `\`${name}\` belongs to the connection` }));
    if (errors.length) throw errors;
  },
};

export const responseTransform: ResponseTransform = {
  transformResponse(input) {
    return proceedResponse({ fields: [...careful(input), ...config.hide.map(removeField)] });
  },
};

function* careful({ request, response }: ResponseInput): Generator<FieldEdit> {
  yield setField("x-content-type-options", "nosniff");
  yield setField("referrer-policy", "strict-origin-when-cross-origin");
  yield setField("x-frame-options", config.frames === "deny" ? "DENY" : "SAMEORIGIN");
  if (request.scheme === "https" && config.hstsSeconds > 0) {
    yield setField("strict-transport-security", `max-age=${config.hstsSeconds}`);
  }
  const has = (name: string) => response.fields.some(([field]) => field === name);
  if (isHtml(response.fields) && !has("content-security-policy")) {
    yield setField("content-security-policy", config.contentSecurityPolicy);
  }
}

function isHtml(fields: ResponseInput["response"]["fields"]): boolean {
  const type = fields.find(([name]) => name === "content-type")?.[1];
  return type !== undefined && String.fromCharCode(...type).toLowerCase().startsWith("text/html");
}
