package main

import (
	"testing"

	"gatewright/responses"
)

func TestAResponseIsTagged(t *testing.T) {
	config.Tag = "blue"
	outcome, err := transform(responses.Input{})
	if err != nil || string(outcome.Proceed().Fields[0].Set().F1) != "blue" {
		t.Error(outcome, err)
	}
}
