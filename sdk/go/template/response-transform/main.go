// Command {{name}} is a response transform: it tags responses on their way to the client.
package main

import (
	_ "embed"

	"gatewright"
	"gatewright/responses"
)

//go:embed config.schema.json
var schema string

var config struct {
	Tag string `json:"tag"`
}

func init() {
	// The gateway compares a configuration with the schema before it gets here.
	gatewright.Plugin(gatewright.Info{
		Name:         "{{name}}",
		Version:      "0.1.0",
		Description:  "Tells the client a tag.",
		ConfigSchema: schema,
	}, &config, nil)
	responses.Transform(transform)
}

func transform(responses.Input) (responses.Outcome, error) {
	edits := []gatewright.FieldEdit{gatewright.Set("x-tag", config.Tag), gatewright.Remove("server")}
	return responses.Proceed(responses.Edits{Fields: edits}), nil
}

// The gateway calls the function above; there is nothing to run.
func main() {}
