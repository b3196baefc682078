// For tests in Node: `node --import ./testing/register.js --test`. From then on a plugin's imports of the gateway's services lead to
// those of `services.js`.

import { register } from "node:module";

register("./loader.js", import.meta.url);
