// Command frozen has every kind and every service once; tests/frozen/README.md says what it does.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"gatewright"
	"gatewright/authorizer"
	"gatewright/filters"
	"gatewright/gatewright_plugin_cache"
	"gatewright/gatewright_plugin_clock"
	"gatewright/gatewright_plugin_counters"
	"gatewright/gatewright_plugin_http_client"
	"gatewright/gatewright_plugin_kv"
	"gatewright/gatewright_plugin_log"
	"gatewright/gatewright_plugin_metrics"
	"gatewright/gatewright_plugin_random"
	"gatewright/gatewright_plugin_secrets"
	"gatewright/gatewright_plugin_types"
	"gatewright/integration"
	"gatewright/requests"
	"gatewright/responses"
	witTypes "gatewright/wit/types"
)

//go:embed config.schema.json
var schema string

var config struct {
	Greeting string `json:"greeting"`
	Origin   string `json:"origin"`
}

const minute = 60_000

func init() {
	gatewright.Plugin(gatewright.Info{
		Name:         "frozen",
		Version:      "0.1.0",
		Description:  "Every kind and every service, in Go.",
		ConfigSchema: schema,
		Parts: gatewright.Method | gatewright.Authority | gatewright.Path | gatewright.Query | gatewright.Parameters |
			gatewright.Route | gatewright.Peer | gatewright.Certificate | gatewright.Attributes | gatewright.TraceParent,
		RequestFields:  []string{"x-user", "x-answer", "x-tier"},
		ResponseFields: []string{"content-type"},
		RequestBody:    true,
		ResponseChunks: true,
		Services: []gatewright.Service{
			gatewright.KV, gatewright.Cache, gatewright.Counters, gatewright.Secrets, gatewright.HTTPClient,
			gatewright.Metrics, gatewright.Clock, gatewright.Random,
		},
	}, &config, check)
	authorizer.Authorize(authorize)
	requests.Transform(transformRequest)
	responses.Transform(transformResponse)
	filters.Open(open)
	integration.Handle(handle)
}

func check() []gatewright.ConfigError {
	if config.Greeting == "wrong" {
		return []gatewright.ConfigError{{At: "/greeting", Message: "is wrong"}}
	}
	return nil
}

func authorize(input authorizer.Input) (authorizer.Decision, error) {
	user, ok := gatewright.Header(input.Request.Fields, "x-user")
	switch {
	case !ok:
		return authorizer.Abstain(), nil
	case user == "faulty":
		return authorizer.Decision{}, fmt.Errorf("asked to fail: %w", gatewright.ErrUnavailable)
	case user == "mallory":
		return authorizer.Deny(gatewright.Response(403, []byte("not you")), "mallory"), nil
	}
	return authorizer.Allow(authorizer.Grant{
		Principal: user,
		Context:   []gatewright.Attribute{{F0: "tier", F1: gatewright_plugin_types.MakeValueText("gold")}},
		UsageKey:  witTypes.Some("plan"),
		Scopes:    []string{"read"},
		Ttl:       witTypes.Some[uint32](0),
	}), nil
}

func transformRequest(input requests.Input) (requests.Outcome, error) {
	if _, ok := gatewright.Header(input.Request.Fields, "x-answer"); ok {
		return requests.Answer(gatewright.Response(418, []byte("answered"))), nil
	}
	seen := gatewright.Attribute{F0: "seen", F1: gatewright_plugin_types.MakeValueTruth(true)}
	query := "frozen=1"
	return requests.Proceed(requests.Edits{
		Query:      &query,
		Fields:     []gatewright.FieldEdit{gatewright.Set("x-tier", attribute(input.Exchange, "auth.tier"))},
		Body:       append(input.Body.Some(), '!'),
		Attributes: []gatewright.Attribute{seen},
	}), nil
}

func handle(input integration.Input) (gatewright.FullResponse, error) {
	path := input.Request.Path.Some()
	if strings.HasSuffix(path, "/services") {
		said, err := services()
		return text(said), err
	}
	tier, _ := gatewright.Header(input.Request.Fields, "x-tier")
	return text(fmt.Sprintf("%s %s %s?%s %s %s %s", config.Greeting, input.Request.Method.Some(), path,
		input.Request.Query.SomeOr(""), tier, attribute(input.Exchange, "auth.principal"), input.Body)), nil
}

func transformResponse(input responses.Input) (responses.Outcome, error) {
	status := gatewright_plugin_types.MakeValueInteger(int64(input.Response.Status))
	return responses.Proceed(responses.Edits{
		Fields:     []gatewright.FieldEdit{gatewright.Set("x-frozen", config.Greeting)},
		Attributes: []gatewright.Attribute{{F0: "status", F1: status}},
	}), nil
}

func open(input filters.Input) (filters.Filter, error) {
	contentType, _ := gatewright.Header(input.Response.Some().Fields, "content-type")
	if !strings.HasPrefix(contentType, "text/plain") {
		return nil, nil
	}
	return upper{}, nil
}

type upper struct{}

func (upper) Push(chunk []byte) ([]byte, error) { return bytes.ToUpper(chunk), nil }

func (upper) Finish() ([]byte, error) { return []byte("."), nil }

func text(said string) gatewright.FullResponse {
	return gatewright.Response(200, []byte(said), "content-type", "text/plain")
}

func attribute(exchange gatewright_plugin_types.Exchange, name string) string {
	for _, attribute := range exchange.Attributes.Some() {
		if attribute.F0 == name {
			return attribute.F1.Text()
		}
	}
	return ""
}

func services() (said string, err error) {
	// What a service refuses panics in `must`: it is a fault of the plugin's.
	defer func() {
		if refused := recover(); refused != nil {
			err = errors.New(fmt.Sprint(refused))
		}
	}()
	ttl := witTypes.Some[uint32](minute)
	labels := []witTypes.Tuple2[string, string]{{F0: "in", F1: "go"}}
	if gatewright_plugin_log.Enabled(gatewright_plugin_log.LevelInfo) {
		gatewright_plugin_log.Write(gatewright_plugin_log.LevelInfo, "frozen", labels)
	}
	revision := must(gatewright_plugin_kv.Set("frozen", "k", []byte("old"), ttl))
	must(gatewright_plugin_kv.CompareAndSet("frozen", "k", witTypes.Some(revision), []byte("new"), witTypes.None[uint32]()))
	entry := must(gatewright_plugin_kv.Get("frozen", "k"))
	must(gatewright_plugin_kv.Delete("frozen", "k"))
	found := must(gatewright_plugin_cache.Get("frozen", "k", witTypes.Some[uint32](0)))
	must(gatewright_plugin_cache.Put("frozen", "k", []byte("cached"), minute))
	cached := must(gatewright_plugin_cache.Get("frozen", "k", witTypes.None[uint32]()))
	must(gatewright_plugin_cache.Forget("frozen", "k"))
	counted := must(gatewright_plugin_counters.Add("frozen", "n", 2, minute))
	bucket := must(gatewright_plugin_counters.Take("frozen", "b", 1, 10, 0.001))
	secret := must(gatewright_plugin_secrets.Get("FROZEN"))
	request := gatewright_plugin_http_client.OutboundRequest{
		Method: "POST", Url: config.Origin, Body: []byte("ping"),
		Fields: []gatewright.Field{{F0: "x-from", F1: []byte("frozen")}},
	}
	sent := must(gatewright_plugin_http_client.Send(request))
	all := gatewright_plugin_http_client.SendAll([]gatewright_plugin_http_client.OutboundRequest{request, request})
	for _, answer := range all {
		must(answer)
	}
	gatewright_plugin_metrics.Add("frozen_total", 1, labels)
	gatewright_plugin_metrics.Set("frozen_level", 0.5, nil)
	gatewright_plugin_metrics.Observe("frozen_seconds", 0.25, nil)
	first := gatewright_plugin_clock.MonotonicNanos()
	time := gatewright_plugin_clock.UnixNanos() > 0 && first <= gatewright_plugin_clock.MonotonicNanos()
	random := len(gatewright_plugin_random.Bytes(16)) == 16 && gatewright_plugin_random.Number() != gatewright_plugin_random.Number()
	return fmt.Sprintf("kv=%s cache=%t,%s counters=%d,%t,%d secret=%s http=%d,%s,%d time=%t random=%t",
		entry.Some().Value, found.Tag() == gatewright_plugin_cache.FoundCompute, cached.Value(), counted, bucket.Allowed,
		bucket.Remaining, secret, sent.Head.Status, sent.Body, len(all), time, random), nil
}

func must[T, E any](result witTypes.Result[T, E]) T {
	if result.IsErr() {
		panic(result.Err())
	}
	return result.Ok()
}

// The gateway calls the functions above; there is nothing to run.
func main() {}
