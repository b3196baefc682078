package main

import (
	"testing"

	"gatewright"
	"gatewright/filters"
)

func opened(t *testing.T, contentType string) filters.Filter {
	t.Helper()
	filter, err := open(filters.ForResponse(gatewright.Response(200, nil, "content-type", contentType).Head))
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

func TestEveryLineIsMarkedWhereverTheChunksEnd(t *testing.T) {
	config.Mark = "> "
	filter := opened(t, "text/plain; charset=utf-8")
	var quoted []byte
	for _, chunk := range []string{"go", "ld\n", "and silver\n"} {
		passed, err := filter.Push([]byte(chunk))
		if err != nil {
			t.Fatal(err)
		}
		quoted = append(quoted, passed...)
	}
	if string(quoted) != "> gold\n> and silver\n" {
		t.Errorf("%q", quoted)
	}
	if opened(t, "image/png") != nil {
		t.Error("a picture is no text")
	}
}
