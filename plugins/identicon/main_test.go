package main

import (
	"bytes"
	"image/png"
	"testing"

	"gatewright"
	"gatewright/integration"
	witTypes "gatewright/wit/types"
)

func ask(t *testing.T, method, query string) gatewright.FullResponse {
	t.Helper()
	input := integration.Input{}
	input.Request.Method, input.Request.Query = witTypes.Some(method), witTypes.Some(query)
	response, err := handle(input)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestANameHasAPictureThatIsItsOwn(t *testing.T) {
	ada, again, bob := ask(t, "GET", "name=Ada"), ask(t, "GET", "name=Ada"), ask(t, "GET", "name=Bob")
	picture, err := png.Decode(bytes.NewReader(ada.Body))
	if err != nil || picture.Bounds().Dx() != 100 {
		t.Fatal(picture, err)
	}
	if !bytes.Equal(ada.Body, again.Body) || bytes.Equal(ada.Body, bob.Body) {
		t.Error("not the same for the same name, or the same for another")
	}
	for y := range 100 {
		for x := range 50 {
			if picture.At(x, y) != picture.At(99-x, y) {
				t.Fatalf("not mirrored at %d, %d", x, y)
			}
		}
	}
}

func TestAWrongQuestionIsAnswered(t *testing.T) {
	for _, query := range []string{"", "name=", "name=a&name=b", "name=%zz"} {
		if status := ask(t, "GET", query).Head.Status; status != 400 {
			t.Error(query, status)
		}
	}
	if status := ask(t, "POST", "name=Ada").Head.Status; status != 405 {
		t.Error(status)
	}
}

func TestASizeThatDoesNotFitIsRefused(t *testing.T) {
	defer func(pixels int) { config.Pixels = pixels }(config.Pixels)
	config.Pixels = 101
	if errors := check(); len(errors) != 1 || errors[0].At != "/pixels" {
		t.Error(errors)
	}
}
