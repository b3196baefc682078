package main

import (
	"testing"

	"gatewright"
	"gatewright/authorizer"
)

func ask(t *testing.T, fields ...gatewright.Field) authorizer.Decision {
	t.Helper()
	config.Word = "sesame"
	input := authorizer.Input{}
	input.Request.Fields = fields
	decision, err := authorize(input)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestWhoKnowsTheWordMayPass(t *testing.T) {
	said := gatewright.Field{F0: "authorization", F1: []byte("Bearer sesame")}
	if who := ask(t, said).Allow().Principal; who != "friend" {
		t.Error(who)
	}
}

func TestNobodyElseMay(t *testing.T) {
	wrong := gatewright.Field{F0: "authorization", F1: []byte("Bearer open")}
	for _, decision := range []authorizer.Decision{ask(t), ask(t, wrong)} {
		if status := decision.Deny().Response.Head.Status; status != 401 {
			t.Error(status)
		}
	}
}
