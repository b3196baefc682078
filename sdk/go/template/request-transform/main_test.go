package main

import (
	"testing"

	"gatewright"
	"gatewright/requests"
)

func TestARequestIsTagged(t *testing.T) {
	config.Tag = "blue"
	outcome, err := transform(requests.Input{})
	if err != nil || string(outcome.Proceed().Fields[0].Set().F1) != "blue" {
		t.Error(outcome, err)
	}
}

func TestAForgedTagIsRefused(t *testing.T) {
	forged := requests.Input{}
	forged.Request.Fields = []gatewright.Field{{F0: "x-tag", F1: []byte("red")}}
	outcome, err := transform(forged)
	if err != nil || outcome.Respond().Head.Status != 400 {
		t.Error(outcome, err)
	}
}
