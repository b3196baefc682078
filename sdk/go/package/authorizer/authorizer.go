// Package authorizer is for plugins that decide whether a request may go on.
package authorizer

import (
	"gatewright"
	export "gatewright/export_gatewright_plugin_authorizer"
	generated "gatewright/gatewright_plugin_authorizer"
	witTypes "gatewright/wit/types"
)

type (
	// Input is a request, and the values of the route's identity sources.
	Input = generated.AuthorizeInput
	// Decision is yes, no, or neither.
	Decision = generated.Decision
	// Grant is yes, and what follows from it.
	Grant = generated.Grant
)

// Authorize says who decides. Call it in an init function.
func Authorize(authorize func(Input) (Decision, error)) {
	export.Authorize = func(input Input) witTypes.Result[Decision, gatewright.Fault] {
		return gatewright.Answered(authorize(input))
	}
}

// Allow is yes. A grant has at least a principal.
func Allow(grant Grant) Decision { return generated.MakeDecisionAllow(grant) }

// Deny is no: what the client is told, and what the access log is.
func Deny(response gatewright.FullResponse, reason string) Decision {
	return generated.MakeDecisionDeny(generated.Denial{Response: response, Reason: reason})
}

// Abstain leaves it to the next authorizer of the route.
func Abstain() Decision { return generated.MakeDecisionAbstain() }
