//go:build wasm

package gatewright

// The functions that the gateway calls. Tests run without them.
import _ "gatewright/wit_exports"
