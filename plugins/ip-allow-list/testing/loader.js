// Where Node finds the modules that the gateway has: `gatewright:plugin/kv@0.1.0` is what `services.js` says of `kv`.

import { modules } from "./services.js";

const services = new URL("./services.js", import.meta.url).href;
const service = /^gatewright:plugin\/([a-z-]+)@/;

export function resolve(specifier, context, next) {
  if (!service.test(specifier)) return next(specifier, context);
  return { url: specifier, shortCircuit: true };
}

export function load(url, context, next) {
  const name = service.exec(url)?.[1];
  if (name === undefined) return next(url, context);
  if (!Object.hasOwn(modules, name)) throw new Error(`the gateway has no service \`${name}\``);
  const functions = Object.keys(modules[name]);
  const exported = functions.map((key, at) => `const f${at} = modules["${name}"]["${key}"]; export { f${at} as ${key} };`);
  const source = `import { modules } from ${JSON.stringify(services)};\n${exported.join("\n")}\n`;
  return { format: "module", source, shortCircuit: true };
}
