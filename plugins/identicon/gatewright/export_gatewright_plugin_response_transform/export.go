// Package export_gatewright_plugin_response_transform is what the generated bindings call.
package export_gatewright_plugin_response_transform

import (
	response_transform "gatewright/gatewright_plugin_response_transform"
	witTypes "gatewright/wit/types"
)

// TransformResponse is set when the plugin starts.
var TransformResponse func(input response_transform.ResponseInput) witTypes.Result[response_transform.ResponseOutcome, response_transform.Fault]
