;; P17. A component that exports nothing. Expected: not loaded, the error says what a plugin exports.
(component)
