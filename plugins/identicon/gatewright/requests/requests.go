// Package requests is for plugins that change requests, or answer them.
package requests

import (
	"gatewright"
	export "gatewright/export_gatewright_plugin_request_transform"
	generated "gatewright/gatewright_plugin_request_transform"
	"gatewright/gatewright_plugin_types"
	witTypes "gatewright/wit/types"
)

type (
	// Input is a request, and its body if the plugin asked for it.
	Input = generated.RequestInput
	// Outcome is what becomes of the request.
	Outcome = generated.RequestOutcome
)

// Edits are changes. What is left out stays as it is.
type Edits struct {
	Method, Path, Query, Authority *string
	Fields                         []gatewright.FieldEdit
	Body                           []byte
	Attributes                     []gatewright.Attribute
}

// Transform says who changes requests. Call it in an init function.
func Transform(transform func(Input) (Outcome, error)) {
	export.TransformRequest = func(input Input) witTypes.Result[Outcome, gatewright.Fault] {
		return gatewright.Answered(transform(input))
	}
}

// Proceed lets the request go on, with these changes.
func Proceed(edits Edits) Outcome {
	body := gatewright_plugin_types.MakeBodyEditKeep()
	if edits.Body != nil {
		body = gatewright_plugin_types.MakeBodyEditReplace(edits.Body)
	}
	return generated.MakeRequestOutcomeProceed(generated.RequestEdits{
		Method: text(edits.Method), Path: text(edits.Path), Query: text(edits.Query), Authority: text(edits.Authority),
		Fields: edits.Fields, Body: body, Attributes: edits.Attributes,
	})
}

// Answer ends the request here, with this response.
func Answer(response gatewright.FullResponse) Outcome {
	return generated.MakeRequestOutcomeRespond(response)
}

func text(value *string) gatewright_plugin_types.TextEdit {
	if value == nil {
		return gatewright_plugin_types.MakeTextEditKeep()
	}
	return gatewright_plugin_types.MakeTextEditSet(*value)
}
