package main

import (
	"testing"

	"gatewright/integration"
	witTypes "gatewright/wit/types"
)

func ask(t *testing.T, query string) (uint16, string) {
	t.Helper()
	config.Greeting = "Hello"
	input := integration.Input{}
	input.Request.Query = witTypes.Some(query)
	response, err := handle(input)
	if err != nil {
		t.Fatal(err)
	}
	return response.Head.Status, string(response.Body)
}

func TestWhoHasANameIsGreeted(t *testing.T) {
	if status, body := ask(t, "name=Ada+L."); status != 200 || body != `{"message":"Hello, Ada L.!"}` {
		t.Error(status, body)
	}
}

func TestWhoHasNoneIsAskedForIt(t *testing.T) {
	for _, query := range []string{"", "name=a&name=b", "name=%zz"} {
		if status, body := ask(t, query); status != 400 {
			t.Error(query, status, body)
		}
	}
}
