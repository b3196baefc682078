;; P17. A core module without a component type, as a compiler without bindings makes it. It can be encoded, into a component
;; that exports nothing. Expected: not loaded, the error says what a plugin exports.
(module (memory (export "memory") 1))
