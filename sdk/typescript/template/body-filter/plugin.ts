// A body filter: puts a mark before each line of a response, however long the response is.

import { type BodyFilter, type Bytes, encode, type Filter, header, info, joined, type Lifecycle } from "./gatewright.js";

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
    const passed: Bytes[] = [];
    // Line by line and not byte by byte: the engine finds and copies blocks many times faster than a loop does.
    for (let at = 0; at < chunk.length; ) {
      if (this.atBeginning) passed.push(mark);
      const newline = chunk.indexOf(0x0a, at);
      const end = newline < 0 ? chunk.length : newline + 1;
      passed.push(chunk.subarray(at, end));
      this.atBeginning = newline >= 0;
      at = end;
    }
    return joined(passed);
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
