// Command {{name}} is a body filter: it puts a mark before each line of a response, however long the response is.
package main

import (
	_ "embed"
	"strings"

	"gatewright"
	"gatewright/filters"
)

//go:embed config.schema.json
var schema string

var config struct {
	Mark string `json:"mark"`
}

func init() {
	// The gateway compares a configuration with the schema before it gets here.
	gatewright.Plugin(gatewright.Info{
		Name:           "{{name}}",
		Version:        "0.1.0",
		Description:    "Quotes texts.",
		ConfigSchema:   schema,
		ResponseFields: []string{"content-type"},
		ResponseChunks: true,
	}, &config, nil)
	filters.Open(open)
}

func open(input filters.Input) (filters.Filter, error) {
	contentType, _ := gatewright.Header(input.Response.Some().Fields, "content-type")
	if !strings.HasPrefix(contentType, "text/plain") {
		// What is no text passes by.
		return nil, nil
	}
	return &quoting{atBeginning: true}, nil
}

// One body on its way. A chunk may end anywhere, so what is known of the line is kept.
type quoting struct {
	atBeginning bool
}

func (q *quoting) Push(chunk []byte) ([]byte, error) {
	passed := make([]byte, 0, len(chunk))
	for _, letter := range chunk {
		if q.atBeginning {
			passed = append(passed, config.Mark...)
		}
		passed = append(passed, letter)
		q.atBeginning = letter == '\n'
	}
	return passed, nil
}

// Nothing was held back.
func (q *quoting) Finish() ([]byte, error) { return nil, nil }

// The gateway calls the functions above; there is nothing to run.
func main() {}
