// Command {{name}} is a request transform: it tags requests on their way to the upstream.
package main

import (
	_ "embed"

	"gatewright"
	"gatewright/requests"
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
		Description:  "Tells the upstream a tag that no client can forge.",
		ConfigSchema: schema,
		RequestFields: []string{"x-tag"},
	}, &config, nil)
	requests.Transform(transform)
}

func transform(input requests.Input) (requests.Outcome, error) {
	if len(input.Request.Fields) > 0 {
		return requests.Answer(gatewright.Response(400, []byte("x-tag is not yours to send\n"))), nil
	}
	tag := []gatewright.FieldEdit{gatewright.Set("x-tag", config.Tag)}
	return requests.Proceed(requests.Edits{Fields: tag}), nil
}

// The gateway calls the function above; there is nothing to run.
func main() {}
