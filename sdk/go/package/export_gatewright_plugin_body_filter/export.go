// Package export_gatewright_plugin_body_filter is what the generated bindings call.
package export_gatewright_plugin_body_filter

import (
	"runtime"

	body_filter "gatewright/gatewright_plugin_body_filter"
	witTypes "gatewright/wit/types"
)

// Open is set when the plugin starts.
var Open func(input body_filter.FilterInput) witTypes.Result[witTypes.Option[*Filter], body_filter.Fault]

// Methods are those of a filter.
type Methods interface {
	Push(chunk []uint8) witTypes.Result[[]uint8, body_filter.Fault]
	Finish() witTypes.Result[[]uint8, body_filter.Fault]
}

// Filter is what the gateway has a handle of.
type Filter struct {
	Methods
	// Of the bindings.
	pinner runtime.Pinner
	handle int32
}

// What the gateway still has a handle of: a pinned value is not moved, but only what is reachable is kept.
var kept = map[*Filter]struct{}{}

// Keep makes a filter that lives until the gateway drops it.
func Keep(methods Methods) *Filter {
	filter := &Filter{Methods: methods}
	kept[filter] = struct{}{}
	return filter
}

// OnDrop is called when the gateway has dropped it.
func (f *Filter) OnDrop() { delete(kept, f) }
