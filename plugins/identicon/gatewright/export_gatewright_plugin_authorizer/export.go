// Package export_gatewright_plugin_authorizer is what the generated bindings call.
package export_gatewright_plugin_authorizer

import (
	authorizer "gatewright/gatewright_plugin_authorizer"
	witTypes "gatewright/wit/types"
)

// Authorize is set when the plugin starts.
var Authorize func(input authorizer.AuthorizeInput) witTypes.Result[authorizer.Decision, authorizer.Fault]
