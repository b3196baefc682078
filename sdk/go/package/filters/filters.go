// Package filters is for plugins that change bodies while they stream, chunk by chunk.
package filters

import (
	"gatewright"
	export "gatewright/export_gatewright_plugin_body_filter"
	generated "gatewright/gatewright_plugin_body_filter"
	"gatewright/gatewright_plugin_types"
	witTypes "gatewright/wit/types"
)

type (
	// Input is the head of the message whose body it is; a request's has no response.
	Input = generated.FilterInput
	// ResponseHead is status and header fields.
	ResponseHead = gatewright_plugin_types.ResponseHead
)

// The directions.
const (
	Request  = generated.DirectionRequest
	Response = generated.DirectionResponse
)

// Filter is one body on its way.
type Filter interface {
	// Push is given a chunk, which is never empty, and returns the bytes to pass on; none while it collects.
	Push(chunk []byte) ([]byte, error)
	// Finish returns the last bytes. It is called once, and only when the body was complete.
	Finish() ([]byte, error)
}

// Open says who filters bodies: nil lets a body pass by. Call it in an init function.
func Open(open func(Input) (Filter, error)) {
	export.Open = func(input Input) witTypes.Result[witTypes.Option[*export.Filter], gatewright.Fault] {
		filter, err := open(input)
		opened := witTypes.None[*export.Filter]()
		if filter != nil && err == nil {
			opened = witTypes.Some(export.Keep(answering{filter}))
		}
		return gatewright.Answered(opened, err)
	}
}

// ForResponse is what a filter of a response's body is opened with, for tests.
func ForResponse(head ResponseHead) Input {
	return Input{Direction: Response, Response: witTypes.Some(head)}
}

// A filter as the bindings want it.
type answering struct{ filter Filter }

func (a answering) Push(chunk []uint8) witTypes.Result[[]uint8, gatewright.Fault] {
	return gatewright.Answered(a.filter.Push(chunk))
}

func (a answering) Finish() witTypes.Result[[]uint8, gatewright.Fault] {
	return gatewright.Answered(a.filter.Finish())
}
