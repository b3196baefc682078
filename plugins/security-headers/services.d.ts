// Types of the gateway's services: the modules that a plugin imports to use them. Errors are thrown; which there are is in
// `wit/`. A parameter that may be undefined has to be given all the same.

type Bytes = Uint8Array;
/** Milliseconds. */
type Millis = number;
type Pairs = [name: string, value: string][];

declare module "gatewright:plugin/log@0.1.0" {
  export type Level = "trace" | "debug" | "info" | "warn" | "error";
  export function enabled(level: Level): boolean;
  export function write(level: Level, message: string, fields: Pairs): void;
}

declare module "gatewright:plugin/kv@0.1.0" {
  export interface Entry {
    value: Bytes;
    revision: number;
  }
  function remove(store: string, key: string): void;
  export { remove as delete };
  export function get(store: string, key: string): Entry | null;
  export function set(store: string, key: string, value: Bytes, ttl: Millis | undefined): number;
  export function compareAndSet(store: string, key: string, expected: number | undefined, value: Bytes, ttl: Millis | undefined): number | null;
}

declare module "gatewright:plugin/cache@0.1.0" {
  export type Found = { tag: "value"; val: Bytes } | { tag: "compute" };
  export function get(cache: string, key: string, wait: Millis | undefined): Found;
  export function put(cache: string, key: string, value: Bytes, ttl: Millis): void;
  export function forget(cache: string, key: string): void;
}

declare module "gatewright:plugin/counters@0.1.0" {
  export interface Bucket {
    allowed: boolean;
    remaining: number;
    retryAfter: Millis;
  }
  export function add(counter: string, key: string, delta: number, window: Millis): number;
  export function take(counter: string, key: string, tokens: number, capacity: number, refillPerSecond: number): Bucket;
}

declare module "gatewright:plugin/secrets@0.1.0" {
  export function get(name: string): Bytes;
}

declare module "gatewright:plugin/http-client@0.1.0" {
  export interface OutboundRequest {
    method: string;
    url: string;
    fields: [name: string, value: Bytes][];
    body: Bytes;
    timeout?: Millis;
    maxResponseBytes?: number;
  }
  export interface FullResponse {
    head: { status: number; fields: [name: string, value: Bytes][] };
    body: Bytes;
  }
  export type HttpError =
    | { tag: "forbidden" | "timeout" | "too-large" }
    | { tag: "rate-limited"; val: Millis }
    | { tag: "bad-request" | "dns" | "connect" | "tls" | "protocol"; val: string };
  export function send(request: OutboundRequest): FullResponse;
  export function sendAll(requests: OutboundRequest[]): ({ tag: "ok"; val: FullResponse } | { tag: "err"; val: HttpError })[];
}

declare module "gatewright:plugin/metrics@0.1.0" {
  export function add(name: string, delta: number, labels: Pairs): void;
  export function set(name: string, value: number, labels: Pairs): void;
  export function observe(name: string, value: number, labels: Pairs): void;
}

declare module "gatewright:plugin/clock@0.1.0" {
  export function unixNanos(): number;
  export function monotonicNanos(): number;
}

declare module "gatewright:plugin/random@0.1.0" {
  export function bytes(length: number): Bytes;
  export function number(): number;
}
