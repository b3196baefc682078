// Command identicon is an integration: it answers with a picture of a name, the same picture for the same name. This
// file speaks to the gateway; picture.go draws.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"image/color"
	"image/png"
	"net/url"

	"gatewright"
	"gatewright/integration"
)

//go:embed config.schema.json
var schema string

var config = struct {
	Pixels     int    `json:"pixels"`
	Background string `json:"background"`
}{Pixels: 100, Background: "#f0f0f0"}

func init() {
	gatewright.Plugin(gatewright.Info{
		Name:         "identicon",
		Version:      "0.1.0",
		Description:  "Answers with a picture of a name.",
		ConfigSchema: schema,
		Parts:        gatewright.Method | gatewright.Query,
	}, &config, check)
	integration.Handle(handle)
}

// The gateway has compared the configuration with the schema already. Multiples could be said there too; here it is told
// how a plugin says what a schema cannot.
func check() []gatewright.ConfigError {
	if config.Pixels%squares != 0 {
		return []gatewright.ConfigError{{At: "/pixels", Message: fmt.Sprintf("%d is not a multiple of %d", config.Pixels, squares)}}
	}
	return nil
}

func handle(input integration.Input) (gatewright.FullResponse, error) {
	if method := input.Request.Method.SomeOr(""); method != "GET" && method != "HEAD" {
		return gatewright.Response(405, nil, "allow", "GET, HEAD"), nil
	}
	query, err := url.ParseQuery(input.Request.Query.SomeOr(""))
	names := query["name"]
	if err != nil || len(names) != 1 || names[0] == "" {
		return gatewright.JSON(400, map[string]string{"message": "`name` is not there once"}), nil
	}
	var body bytes.Buffer
	if err := png.Encode(&body, draw(names[0], config.Pixels, background())); err != nil {
		return gatewright.FullResponse{}, fmt.Errorf("cannot encode the picture: %w", err)
	}
	return gatewright.Response(200, body.Bytes(), "content-type", "image/png", "cache-control", "public, max-age=86400, immutable"), nil
}

func background() color.RGBA {
	colour := color.RGBA{A: 255}
	// The schema lets nothing else through.
	fmt.Sscanf(config.Background, "#%02x%02x%02x", &colour.R, &colour.G, &colour.B)
	return colour
}

// The gateway calls handle; there is nothing to run.
func main() {}
