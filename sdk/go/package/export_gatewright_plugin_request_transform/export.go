// Package export_gatewright_plugin_request_transform is what the generated bindings call.
package export_gatewright_plugin_request_transform

import (
	request_transform "gatewright/gatewright_plugin_request_transform"
	witTypes "gatewright/wit/types"
)

// TransformRequest is set when the plugin starts.
var TransformRequest func(input request_transform.RequestInput) witTypes.Result[request_transform.RequestOutcome, request_transform.Fault]
