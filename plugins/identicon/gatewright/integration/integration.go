// Package integration is for plugins that answer in place of an upstream.
package integration

import (
	"gatewright"
	export "gatewright/export_gatewright_plugin_integration"
	generated "gatewright/gatewright_plugin_integration"
	witTypes "gatewright/wit/types"
)

// Input is a request and its body.
type Input = generated.IntegrationInput

// Handle says who answers. Call it in an init function.
func Handle(handle func(Input) (gatewright.FullResponse, error)) {
	export.Handle = func(input Input) witTypes.Result[gatewright.FullResponse, gatewright.Fault] {
		return gatewright.Answered(handle(input))
	}
}
