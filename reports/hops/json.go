package hops

import (
	"encoding/json"
	"io"

	"gatewaylab/servers/trace"
)

// Schema names the form of the JSON document.
const Schema = "gatewaylab/trace/1"

// A Document is what JSON writes. Times are in nanoseconds since the trace's
// start, bytes in hexadecimal; a field's offset is in the stream that its
// message names.
type Document struct {
	Schema string         `json:"schema"`
	Traces []*trace.Trace `json:"traces"`
}

// JSON writes all that is known of the traces.
func JSON(w io.Writer, traces []*trace.Trace) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(Document{Schema, traces})
}
