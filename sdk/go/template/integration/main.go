// Command {{name}} is an integration: the plugin is the upstream, and greets.
package main

import (
	_ "embed"
	"net/url"

	"gatewright"
	"gatewright/integration"
)

//go:embed config.schema.json
var schema string

var config struct {
	Greeting string `json:"greeting"`
}

func init() {
	// The gateway compares a configuration with the schema before it gets here.
	gatewright.Plugin(gatewright.Info{
		Name:         "{{name}}",
		Version:      "0.1.0",
		Description:  "Greets.",
		ConfigSchema: schema,
		Parts:        gatewright.Query,
	}, &config, nil)
	integration.Handle(handle)
}

type message struct {
	Message string `json:"message"`
}

func handle(input integration.Input) (gatewright.FullResponse, error) {
	query, err := url.ParseQuery(input.Request.Query.SomeOr(""))
	if names := query["name"]; err == nil && len(names) == 1 {
		return gatewright.JSON(200, message{config.Greeting + ", " + names[0] + "!"}), nil
	}
	return gatewright.JSON(400, message{"`name` is not there once"}), nil
}

// The gateway calls the function above; there is nothing to run.
func main() {}
