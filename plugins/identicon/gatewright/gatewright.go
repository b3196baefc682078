// Package gatewright is the short way to write a plugin in Go: what it is, how it is configured, and what all kinds of
// plugin need. Packages below it have one kind each. The types are the generated ones, so that everything that the
// interface can say can be said.
package gatewright

import (
	"encoding/json"
	"errors"
	"strings"

	export "gatewright/export_gatewright_plugin_lifecycle"
	lifecycle "gatewright/gatewright_plugin_lifecycle"
	"gatewright/gatewright_plugin_types"
	witRuntime "gatewright/wit/runtime"
	witTypes "gatewright/wit/types"
)

// Types that every kind of plugin meets.
type (
	RequestHead  = gatewright_plugin_types.RequestHead
	FullResponse = gatewright_plugin_types.FullResponse
	Field        = witTypes.Tuple2[string, []uint8]
	FieldEdit    = gatewright_plugin_types.FieldEdit
	Attribute    = witTypes.Tuple2[string, gatewright_plugin_types.Value]
	Fault        = gatewright_plugin_types.Fault
)

// Part is what a plugin can ask for besides header fields and bodies: Path | Query. What it does not ask for is none.
type Part = lifecycle.Part

// The parts.
const (
	Method      = lifecycle.PartMethod
	Authority   = lifecycle.PartAuthority
	Path        = lifecycle.PartPath
	Query       = lifecycle.PartQuery
	Parameters  = lifecycle.PartParameters
	Route       = lifecycle.PartRoute
	Peer        = lifecycle.PartPeer
	Certificate = lifecycle.PartCertificate
	Attributes  = lifecycle.PartAttributes
	TraceParent = lifecycle.PartTraceParent
)

// Service is what the operator should know that a plugin uses; saying so grants nothing.
type Service string

// The services.
const (
	KV         Service = "kv"
	Cache      Service = "cache"
	Counters   Service = "counters"
	Secrets    Service = "secrets"
	HTTPClient Service = "http-client"
	Metrics    Service = "metrics"
	Clock      Service = "clock"
	Random     Service = "random"
)

// Info is what a plugin says of itself.
type Info struct {
	Name, Version, Description string
	// JSON Schema of the configuration, or nothing.
	ConfigSchema string
	// What it reads besides header fields and bodies.
	Parts Part
	// Names of the header fields that it reads.
	RequestFields, ResponseFields []string
	// Whether it reads bodies, whole.
	RequestBody, ResponseBody bool
	// Whether bodies go through its filter, chunk by chunk.
	RequestChunks, ResponseChunks bool
	// What it means to use.
	Services []Service
}

// Plugin says what this plugin is, and how it takes its configuration: JSON into a value of type C, which the gateway has
// compared with the schema, and then check, which may be nil. Call it in an init function.
func Plugin[C any](info Info, config *C, check func() []ConfigError) {
	export.Describe = func() lifecycle.PluginInfo {
		schema := witTypes.None[string]()
		if info.ConfigSchema != "" {
			schema = witTypes.Some(info.ConfigSchema)
		}
		return lifecycle.PluginInfo{
			Name: info.Name, Version: info.Version, Description: info.Description, ConfigSchema: schema,
			Needs: lifecycle.Needs{
				Parts:         info.Parts,
				RequestFields: selection(info.RequestFields), ResponseFields: selection(info.ResponseFields),
				RequestBody:  mode(info.RequestBody, info.RequestChunks),
				ResponseBody: mode(info.ResponseBody, info.ResponseChunks),
			},
			Services: names(info.Services),
			// Go's runtime is expensive to start: let the operator keep it for many calls.
			Reuse: lifecycle.ReuseSerial,
		}
	}
	export.Configure = func(text string) witTypes.Result[witTypes.Unit, []ConfigError] {
		if err := json.Unmarshal([]byte(text), config); err != nil {
			return witTypes.Err[witTypes.Unit]([]ConfigError{{Message: err.Error()}})
		}
		if check != nil {
			if errors := check(); len(errors) > 0 {
				return witTypes.Err[witTypes.Unit](errors)
			}
		}
		return witTypes.Ok[witTypes.Unit, []ConfigError](witTypes.Unit{})
	}
}

// ConfigError is one thing that is wrong with a configuration: a JSON pointer, and what is wrong there.
type ConfigError = lifecycle.ConfigError

func selection(names []string) lifecycle.FieldSelection {
	if len(names) == 0 {
		return lifecycle.MakeFieldSelectionNone()
	}
	return lifecycle.MakeFieldSelectionNamed(names)
}

func names(services []Service) []string {
	names := make([]string, 0, len(services))
	for _, service := range services {
		names = append(names, string(service))
	}
	return names
}

func mode(whole, chunks bool) lifecycle.BodyMode {
	switch {
	case chunks:
		return lifecycle.BodyModeChunks
	case whole:
		return lifecycle.BodyModeBuffered
	}
	return lifecycle.BodyModeNone
}

// Header is the value of a header field; not ok when it is absent or there more than once.
func Header(fields []Field, name string) (value string, ok bool) {
	for _, field := range fields {
		if !strings.EqualFold(field.F0, name) {
			continue
		}
		if ok {
			return "", false
		}
		value, ok = string(field.F1), true
	}
	return value, ok
}

// Set replaces every value of a header field.
func Set(name, value string) FieldEdit {
	return gatewright_plugin_types.MakeFieldEditSet(Field{F0: name, F1: []byte(value)})
}

// Append adds a value to a header field.
func Append(name, value string) FieldEdit {
	return gatewright_plugin_types.MakeFieldEditAppend(Field{F0: name, F1: []byte(value)})
}

// Remove takes a header field away.
func Remove(name string) FieldEdit { return gatewright_plugin_types.MakeFieldEditRemove(name) }

// Response is a whole response; fields are names and values in turn.
func Response(status uint16, body []byte, fields ...string) FullResponse {
	response := FullResponse{Body: body}
	response.Head.Status = status
	for i := 0; i+1 < len(fields); i += 2 {
		response.Head.Fields = append(response.Head.Fields, Field{F0: fields[i], F1: []byte(fields[i+1])})
	}
	return response
}

// JSON is a whole response with a JSON body.
func JSON(status uint16, value any) FullResponse {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return Response(status, body, "content-type", "application/json")
}

// ErrUnavailable is wrapped by errors that say that something a plugin depends on does not answer.
var ErrUnavailable = errors.New("unavailable")

// FaultOf is what the gateway is told of an error.
func FaultOf(err error) Fault {
	if errors.Is(err, ErrUnavailable) {
		return gatewright_plugin_types.MakeFaultUnavailable(err.Error())
	}
	return gatewright_plugin_types.MakeFaultInternal(err.Error())
}

// Answered is what a hook returns to the gateway.
func Answered[T any](answer T, err error) witTypes.Result[T, Fault] {
	witRuntime.Finish()
	if err != nil {
		return witTypes.Err[T](FaultOf(err))
	}
	return witTypes.Ok[T, Fault](answer)
}
