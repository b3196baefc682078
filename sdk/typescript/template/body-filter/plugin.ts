// A body filter: puts a mark before each line of a response, however long the response is.

import { type BodyFilter, type Bytes, encode, type Filter, header, info, type Lifecycle } from "./gatewright.js";

const configSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  required: ["mark"],
  properties: {
    mark: { description: "What each line begins with.", type: "string", maxLength: 16 },
  },
};

interface Config {
  mark: string;
}

let mark: Bytes;

export const lifecycle: Lifecycle = {
  describe() {
    return info({
      name: "{{name}}",
      version: "0.1.0",
      description: "Quotes texts.",
      configSchema,
      responseFields: ["content-type"],
      responseBody: "chunks",
    });
  },
  configure(text) {
    // The gateway has compared it with the schema already.
    mark = encode((JSON.parse(text) as Config).mark);
  },
};

/** One body on its way. A chunk may end anywhere, so what is known of the line is kept. */
class Quoting implements Filter {
  private atBeginning = true;

  push(chunk: Bytes): Bytes {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (this.atBeginning) passed.push(...mark);
      passed.push(byte);
      this.atBeginning = byte === 0x0a;
    }
    return Uint8Array.from(passed);
  }

  finish(): Bytes {
    return new Uint8Array(0); // nothing was held back
  }
}

export const bodyFilter: BodyFilter = {
  Filter: Quoting,
  open({ response }) {
    const isText = response && header(response, "content-type")?.startsWith("text/plain");
    // Nothing: what is no text passes by.
    return isText ? new Quoting() : undefined;
  },
};
