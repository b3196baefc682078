// Package responses is for plugins that change responses, or replace them.
package responses

import (
	"gatewright"
	export "gatewright/export_gatewright_plugin_response_transform"
	generated "gatewright/gatewright_plugin_response_transform"
	"gatewright/gatewright_plugin_types"
	witTypes "gatewright/wit/types"
)

type (
	// Input is a response, its body if the plugin asked for it, and the request that it answers.
	Input = generated.ResponseInput
	// Outcome is what becomes of the response.
	Outcome = generated.ResponseOutcome
)

// Edits are changes. What is left out stays as it is.
type Edits struct {
	// 0 leaves it.
	Status     uint16
	Fields     []gatewright.FieldEdit
	Body       []byte
	Attributes []gatewright.Attribute
}

// Transform says who changes responses. Call it in an init function.
func Transform(transform func(Input) (Outcome, error)) {
	export.TransformResponse = func(input Input) witTypes.Result[Outcome, gatewright.Fault] {
		return gatewright.Answered(transform(input))
	}
}

// Proceed lets the response go on, with these changes.
func Proceed(edits Edits) Outcome {
	status := witTypes.None[uint16]()
	if edits.Status != 0 {
		status = witTypes.Some(edits.Status)
	}
	body := gatewright_plugin_types.MakeBodyEditKeep()
	if edits.Body != nil {
		body = gatewright_plugin_types.MakeBodyEditReplace(edits.Body)
	}
	return generated.MakeResponseOutcomeProceed(generated.ResponseEdits{
		Status: status, Fields: edits.Fields, Body: body, Attributes: edits.Attributes,
	})
}

// Replace sends this response instead.
func Replace(response gatewright.FullResponse) Outcome {
	return generated.MakeResponseOutcomeReplace(response)
}
