// What stands between the gateway and a plugin in JavaScript. QuickJS ends a component without a word when a hook throws what
// the interface does not know, or returns what it cannot take. So each hook is called from here: what goes wrong is said in
// the gateway's log first, with its kind, its message and its place in the author's source. Then it ends as before.
//
// `plugin build` writes this file and its neighbours below `build/`; nobody edits them.

import { places } from "./places.js";
import { write } from "./log.js";

// While a component is built its modules run once, and there is no gateway to call.
let serving = false;
const early = [];

function say(level, message) {
  if (serving) write(level, message, []);
  else early.push([level, message]);
}

function serve() {
  if (serving) return;
  serving = true;
  for (const [level, message] of early.splice(0)) write(level, message, []);
}

// QuickJS has no console, and everybody reaches for it.
const levels = { log: "info", info: "info", debug: "debug", trace: "trace", warn: "warn", error: "error" };
globalThis.console ??= Object.fromEntries(
  Object.entries(levels).map(([name, level]) => [name, (...values) => say(level, values.map(shown).join(" "))]),
);

/** An object of hooks, each of which is watched. `types` says of each what it returns and what it may throw. */
export function watched(object, hooks, types) {
  if (typeof hooks !== "object") throw new TypeError(`the plugin has no \`export const ${object} = { … }\``);
  const all = { ...hooks };
  for (const [name, type] of Object.entries(types)) {
    if (typeof hooks[name] !== "function") throw new TypeError(`\`${object}\` of the plugin has no function \`${name}\``);
    all[name] = watch(name, hooks[name], type);
  }
  return all;
}

/** A class of the interface, whose methods are watched. It stays the same class: the engine looks for it. */
export function watchedClass(Class, types) {
  for (const [name, type] of Object.entries(types)) {
    if (typeof Class?.prototype?.[name] !== "function") throw new TypeError(`a class of the plugin has no method \`${name}\``);
    Class.prototype[name] = watch(name, Class.prototype[name], type);
  }
  return Class;
}

// No hook of the interface has more than two parameters. Fixed ones are faster than a list of them.
function watch(name, hook, { returns, throws }) {
  const fits = check(returns);
  return function (first, second) {
    serve();
    let result;
    try {
      result = hook.call(this, first, second);
    } catch (error) {
      if (throws && wrong(throws, error, "") === undefined) throw error;
      fail(error, name);
    }
    if (fits(result) && typeof result?.then !== "function") return result;
    if (typeof result?.then === "function") {
      fail(new TypeError(`\`${name}\` returned a Promise: hooks are synchronous, so it can be neither async nor wait`));
    }
    fail(new TypeError(`\`${name}\` returned what the gateway cannot take: ${wrong(returns, result, "")}`));
  };
}

/** A function that says whether a value is of a type of the interface. It is made once, because hooks run often; `wrong` says why a
 * value is not. */
function check(type) {
  const primitives = {
    text: (value) => typeof value === "string",
    bytes: (value) => value instanceof Uint8Array,
    number: (value) => typeof value === "number" || typeof value === "bigint",
    truth: (value) => typeof value === "boolean",
    object: (value) => typeof value === "object" && value !== null,
  };
  if (typeof type === "string") return primitives[type] ?? (() => true);
  const [kind, inner] = type;
  switch (kind) {
    case "option": {
      const fits = check(inner);
      return (value) => value === undefined || value === null || fits(value);
    }
    case "list": {
      const fits = check(inner);
      return (value) => {
        if (!Array.isArray(value)) return false;
        for (let index = 0; index < value.length; index += 1) if (!fits(value[index])) return false;
        return true;
      };
    }
    case "tuple": {
      const parts = inner.map(check);
      return (value) => {
        if (!Array.isArray(value) || value.length !== parts.length) return false;
        for (let index = 0; index < parts.length; index += 1) if (!parts[index](value[index])) return false;
        return true;
      };
    }
    case "record": {
      const names = Object.keys(inner);
      const parts = names.map((name) => check(inner[name]));
      return (value) => {
        if (typeof value !== "object" || value === null) return false;
        for (let index = 0; index < names.length; index += 1) if (!parts[index](value[names[index]])) return false;
        return true;
      };
    }
    case "variant": {
      const cases = new Map(Object.entries(inner).map(([tag, part]) => [tag, part === null ? () => true : check(part)]));
      return (value) => {
        const fits = typeof value === "object" && value !== null ? cases.get(value.tag) : undefined;
        return fits !== undefined && fits(value.val);
      };
    }
    case "enum":
      return (value) => inner.includes(value);
    default:
      return () => true;
  }
}

/** Says what went wrong, and ends the call. */
function fail(error, hook) {
  const uncaught = error instanceof Error ? `${error.name}: ${error.message}` : `\`${hook}\` threw ${shown(error)}`;
  const hint = error instanceof Error ? "" : thrown(error);
  write("error", `${uncaught}${hint}${trail(error)}`, []);
  throw error;
}

function thrown(error) {
  const tag = error?.payload?.tag;
  if (tag !== undefined) return `: a service refused with \`${tag}\`, which \`error.payload\` says`;
  return ', which is no fault; a fault is { tag: "unavailable", val: "why" }';
}

/** Where it happened, in the author's files. */
function trail(error) {
  const lines = String(error?.stack ?? "").split("\n").map((line) => line.trim());
  const own = lines.filter((line) => line.startsWith("at ") && !line.includes("/guard.js:") && !line.includes("(native)"));
  return own.slice(0, 8).map((line) => `\n  ${line.replace(/\/?([^/(\s][^(\s]*):(\d+):(\d+)/, source)}`).join("");
}

/** The place that a line of compiled code was written at. */
function source(place, file, line, column) {
  const at = places[file]?.[line - 1];
  return at ? `${at[0]}:${at[1]}` : `${file}:${line}:${column}`;
}

function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)) ?? String(value);
  } catch {
    return String(value);
  }
}

/** What is wrong with a value for a type of the interface; undefined when nothing is. */
function wrong(type, value, at) {
  if (typeof type === "string") return primitive(type, value, at);
  const [kind, inner] = type;
  switch (kind) {
    case "option":
      return value === undefined || value === null ? undefined : wrong(inner, value, at);
    case "list":
      if (!Array.isArray(value)) return expected("an array", value, at);
      return first(value, (item, index) => wrong(inner, item, `${at}[${index}]`));
    case "tuple":
      if (!Array.isArray(value) || value.length !== inner.length) return expected(`an array of ${inner.length}`, value, at);
      return first(inner, (part, index) => wrong(part, value[index], `${at}[${index}]`));
    case "record":
      if (typeof value !== "object" || value === null) return expected("an object", value, at);
      return first(Object.entries(inner), ([name, part]) => wrong(part, value[name], at ? `${at}.${name}` : name));
    case "variant": {
      const tags = Object.keys(inner);
      if (typeof value !== "object" || value === null || !Object.hasOwn(inner, value.tag)) {
        return expected(`{ tag } with one of ${tags.join(", ")}`, value, at);
      }
      const part = inner[value.tag];
      return part === null ? undefined : wrong(part, value.val, at ? `${at}.val` : "val");
    }
    case "enum":
      return inner.includes(value) ? undefined : expected(`one of ${inner.join(", ")}`, value, at);
    default:
      return undefined;
  }
}

function primitive(type, value, at) {
  switch (type) {
    case "text":
      return typeof value === "string" ? undefined : expected("a string", value, at);
    case "bytes":
      return value instanceof Uint8Array ? undefined : expected("a Uint8Array", value, at);
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? undefined : expected("a number", value, at);
    case "truth":
      return typeof value === "boolean" ? undefined : expected("true or false", value, at);
    case "object":
      return typeof value === "object" && value !== null ? undefined : expected("an object", value, at);
    default:
      return undefined;
  }
}

function first(values, look) {
  for (let index = 0; index < values.length; index += 1) {
    const found = look(values[index], index);
    if (found) return found;
  }
  return undefined;
}

function expected(what, value, at) {
  let got = value === undefined || value === null ? String(value) : typeof value;
  if (Array.isArray(value)) got = `an array of ${value.length}`;
  return `${at ? `\`${at}\`` : "it"} is ${got} and not ${what}`;
}
