// Types of `gatewright.js` and of the plugin interface in `wit/`, as JavaScript sees it.

export type Bytes = Uint8Array;
export type Field = [name: string, value: Bytes];
export type Value =
  | { tag: "text"; val: string }
  | { tag: "number"; val: number }
  | { tag: "integer"; val: number }
  | { tag: "truth"; val: boolean }
  | { tag: "bytes"; val: Bytes }
  | { tag: "json"; val: string };
export type Attribute = [name: string, value: Value];
export type FieldEdit = { tag: "set" | "append"; val: Field } | { tag: "remove"; val: string };
export type TextEdit = { tag: "keep" | "clear" } | { tag: "set"; val: string };
export type BodyEdit = { tag: "keep" | "clear" } | { tag: "replace"; val: Bytes };

/** What a plugin has to ask for in `info` to read it; else it is undefined. */
export type Part = "method" | "authority" | "path" | "query" | "parameters" | "route" | "peer" | "certificate" | "attributes" | "traceParent";
export interface RequestHead {
  method?: string;
  scheme: "http" | "https";
  authority?: string;
  path?: string;
  /** Also undefined when there is no `?`. */
  query?: string;
  /** The variables of the route's path, still percent-encoded. */
  parameters?: [name: string, value: string][];
  version: "http10" | "http11" | "http2" | "http3";
  fields: Field[];
}
export interface ResponseHead {
  status: number;
  fields: Field[];
}
export interface FullResponse {
  head: ResponseHead;
  body: Bytes;
}
export interface Peer {
  address: string;
  port: number;
  tls: boolean;
  certificate?: {
    subject: string;
    issuer: string;
    serialNumber: Bytes;
    sha256: Bytes;
    notBeforeUnix: number;
    notAfterUnix: number;
    dnsNames: string[];
    uris: string[];
    der: Bytes;
  };
}
export interface Exchange {
  id: number;
  traceParent?: string;
  route?: string;
  receivedUnixMs: number;
  budget: number;
  attempt: number;
  peer?: Peer;
  attributes?: Attribute[];
}

/** Thrown in a hook: why it could not answer. */
export interface Fault {
  tag: "unavailable" | "misconfigured" | "bad-input" | "internal";
  val: string;
}

/** What a plugin says it uses, for the operator to read; saying so grants nothing. */
export type Service = "kv" | "cache" | "counters" | "secrets" | "http-client" | "metrics" | "clock" | "random";
export interface PluginInfo {
  name: string;
  version: string;
  description: string;
  configSchema?: string;
  needs: object;
  services: string[];
  reuse: "fresh" | "serial";
}
/** Exported by every plugin as `lifecycle`. */
export interface Lifecycle {
  describe(): PluginInfo;
  /** Throws a list of these when it cannot use the configuration. */
  configure(config: string): void;
}
export interface ConfigError {
  /** JSON pointer into the configuration. */
  at: string;
  message: string;
}

export interface AuthorizeInput {
  exchange: Exchange;
  request: RequestHead;
  identity: (string | null)[];
  body?: Bytes | null;
}
export interface Statement {
  effect: "allow" | "deny";
  methods: string[];
  paths: string[];
}
export interface Grant {
  principal: string;
  context: Attribute[];
  usageKey?: string;
  scopes: string[];
  policy: Statement[];
  upstreamEdits: FieldEdit[];
  ttl?: number;
}
export interface Denial {
  response: FullResponse;
  reason: string;
  ttl?: number;
}
export type Decision = { tag: "allow"; val: Grant } | { tag: "deny"; val: Denial } | { tag: "abstain" };
/** Exported as `authorizer`. */
export interface Authorizer {
  authorize(input: AuthorizeInput): Decision;
}

export interface RequestInput {
  exchange: Exchange;
  request: RequestHead;
  body?: Bytes | null;
}
export interface RequestEdits {
  method: TextEdit;
  path: TextEdit;
  query: TextEdit;
  authority: TextEdit;
  fields: FieldEdit[];
  body: BodyEdit;
  attributes: Attribute[];
}
export type RequestOutcome = { tag: "proceed"; val: RequestEdits } | { tag: "respond"; val: FullResponse };
/** Exported as `requestTransform`. */
export interface RequestTransform {
  transformRequest(input: RequestInput): RequestOutcome;
}

export interface ResponseInput {
  exchange: Exchange;
  request: RequestHead;
  response: ResponseHead;
  body?: Bytes | null;
}
export interface ResponseEdits {
  status?: number;
  fields: FieldEdit[];
  body: BodyEdit;
  attributes: Attribute[];
}
export type ResponseOutcome = { tag: "proceed"; val: ResponseEdits } | { tag: "replace"; val: FullResponse };
/** Exported as `responseTransform`. */
export interface ResponseTransform {
  transformResponse(input: ResponseInput): ResponseOutcome;
}

export interface IntegrationInput {
  exchange: Exchange;
  request: RequestHead;
  body: Bytes;
}
/** Exported as `integration`. */
export interface Integration {
  handle(input: IntegrationInput): FullResponse;
}

export interface FilterInput {
  exchange: Exchange;
  direction: "request" | "response";
  request: RequestHead;
  /** Only for the response's body. */
  response?: ResponseHead | null;
  /** Bytes, when the sender announced them. */
  contentLength?: number | null;
}
/** One body on its way. */
export interface Filter {
  /** Returns the bytes to pass on, perhaps none. A chunk is never empty. */
  push(chunk: Bytes): Bytes;
  /** The last bytes. Called once, and only when the body was complete. */
  finish(): Bytes;
}
/** Exported as `bodyFilter`. */
export interface BodyFilter {
  /** The class of what `open` returns. */
  Filter: new (...parameters: never[]) => Filter;
  /** Nothing: this body passes by. */
  open(input: FilterInput): Filter | undefined;
}

export interface Description {
  name: string;
  version: string;
  description: string;
  configSchema?: object;
  parts?: Part[];
  requestFields?: string[] | "all";
  responseFields?: string[] | "all";
  /** "chunks": it goes through `bodyFilter`. */
  requestBody?: boolean | "chunks";
  responseBody?: boolean | "chunks";
  services?: Service[];
}
type Headers = Record<string, string | Bytes>;

export function info(description: Description): PluginInfo;
export function header(head: { fields: Field[] }, name: string): string | undefined;
export function response(status: number, text?: string | Bytes, headers?: Headers): FullResponse;
export function json(status: number, value: unknown, headers?: Headers): FullResponse;
export function allow(principal: string, more?: Partial<Omit<Grant, "principal" | "context">> & { context?: Record<string, string> }): Decision;
export function deny(status: number, text: string, more?: { reason?: string; headers?: Headers; ttl?: number }): Decision;
export function abstain(): Decision;
export function proceedRequest(edits?: { method?: string; path?: string; query?: string | null; authority?: string; fields?: FieldEdit[]; body?: string | Bytes; attributes?: Attribute[] }): RequestOutcome;
export function answer(response: FullResponse): RequestOutcome;
export function proceedResponse(edits?: { status?: number; fields?: FieldEdit[]; body?: string | Bytes; attributes?: Attribute[] }): ResponseOutcome;
export function replace(response: FullResponse): ResponseOutcome;
export function setField(name: string, value: string | Bytes): FieldEdit;
export function appendField(name: string, value: string | Bytes): FieldEdit;
export function removeField(name: string): FieldEdit;
/** The bytes of all pieces, in one block. */
export function joined(pieces: Bytes[]): Bytes;
export function encode(text: string | Bytes): Bytes;
export function decode(bytes: Bytes): string;
