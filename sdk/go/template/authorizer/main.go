// Command {{name}} is an authorizer: whoever knows the word may pass.
package main

import (
	"crypto/subtle"
	_ "embed"

	"gatewright"
	"gatewright/authorizer"
)

//go:embed config.schema.json
var schema string

var config struct {
	Word string `json:"word"`
}

func init() {
	// The gateway compares a configuration with the schema before it gets here.
	gatewright.Plugin(gatewright.Info{
		Name:         "{{name}}",
		Version:      "0.1.0",
		Description:  "Lets those pass who know the word.",
		ConfigSchema: schema,
		RequestFields: []string{"authorization"},
	}, &config, nil)
	authorizer.Authorize(authorize)
}

func authorize(input authorizer.Input) (authorizer.Decision, error) {
	said, _ := gatewright.Header(input.Request.Fields, "authorization")
	// Takes as long for a wrong word as for the right one.
	if subtle.ConstantTimeCompare([]byte(said), []byte("Bearer "+config.Word)) == 1 {
		return authorizer.Allow(authorizer.Grant{Principal: "friend"}), nil
	}
	refusal := gatewright.Response(401, []byte("say the word\n"), "www-authenticate", "Bearer")
	return authorizer.Deny(refusal, "wrong word"), nil
}

// The gateway calls the function above; there is nothing to run.
func main() {}
