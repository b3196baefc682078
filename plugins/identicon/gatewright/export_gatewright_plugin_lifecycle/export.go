// Package export_gatewright_plugin_lifecycle is what the generated bindings call.
package export_gatewright_plugin_lifecycle

import (
	lifecycle "gatewright/gatewright_plugin_lifecycle"
	witTypes "gatewright/wit/types"
)

// Describe is set when the plugin starts.
var Describe func() lifecycle.PluginInfo

// Configure is set when the plugin starts.
var Configure func(config string) witTypes.Result[witTypes.Unit, []lifecycle.ConfigError]
