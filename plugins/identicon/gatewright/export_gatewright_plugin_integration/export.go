// Package export_gatewright_plugin_integration is what the generated bindings call.
package export_gatewright_plugin_integration

import (
	integration "gatewright/gatewright_plugin_integration"
	witTypes "gatewright/wit/types"
)

// Handle is set when the plugin starts.
var Handle func(input integration.IntegrationInput) witTypes.Result[integration.FullResponse, integration.Fault]
