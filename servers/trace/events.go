package trace

import (
	"path/filepath"
	"strings"

	"gatewaylab/servers/trace/recorder"
)

// eventHop makes a hop of what a recorder told of one program or call.
func (t *tracer) eventHop(from string, events []recorder.Event) Hop {
	first := events[0]
	h := Hop{From: from, Protocol: first.Interface, PID: first.Process, Timing: Timing{Start: t.clock.at(first.At)}}
	if first.Interface == "CGI" {
		t.program(&h, events)
	} else {
		t.call(&h, events)
	}
	h.Timing.Total = t.clock.at(events[len(events)-1].At) - h.Timing.Start
	return h
}

// program fills in a program that was started for the request.
func (t *tracer) program(h *Hop, events []recorder.Event) {
	h.Kind, h.To = Process, "program"
	var environment, stdin, stdout, stderr recording
	for _, e := range events {
		at := t.clock.at(e.At)
		switch e.Kind {
		case recorder.ProgramStart:
			environment.note(at, e.Data)
			h.Address = named(e.Values, "program")
			h.To = filepath.Base(h.Address)
		case recorder.ProgramInput:
			stdin.note(at, e.Data)
			stdin.drop(e.Dropped)
		case recorder.ProgramOutput:
			stdout.note(at, e.Data)
			stdout.drop(e.Dropped)
		case recorder.ProgramError:
			stderr.note(at, e.Data)
			stderr.drop(e.Dropped)
		case recorder.ProgramEnd:
			h.Exit = e.Text
		}
	}
	h.Streams = []Stream{
		environment.stream("environment", true), stdin.stream("stdin", true),
		stdout.stream("stdout", false), stderr.stream("stderr", false),
	}
}

func named(values []recorder.Value, name string) string {
	for _, v := range values {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// call fills in a call within a process. Its messages are the recorder's
// events: what crosses there is not bytes but values, and bytes only where a
// body is handed over.
func (t *tracer) call(h *Hop, events []recorder.Event) {
	h.Kind, h.To = Call, "application"
	var input, output recording
	for _, e := range events {
		at := t.clock.at(e.At)
		m := Message{What: e.Text, At: at, Until: at, Stream: "input"}
		into := &input
		if e.Kind == recorder.Result || e.Kind == recorder.Returned {
			m.Stream, into = "output", &output
		}
		for _, v := range e.Values {
			f := Field{Name: v.Name, Value: v.Value, Type: v.Type, Offset: len(into.bytes)}
			switch {
			case e.Kind == recorder.Called:
				f.role = roleVariable
			case v.Type == recorder.HeaderField:
				f.role, f.Meaning, f.Type = roleHeader, fieldMeaning(v.Name), ""
			case v.Name == "more_body":
				f.Meaning = "do other pieces follow?"
			}
			m.Fields = append(m.Fields, f)
		}
		m.Offset = len(into.bytes)
		into.note(at, e.Data)
		into.drop(e.Dropped)
		m.Length = len(into.bytes) - m.Offset
		if m.Length > 0 {
			m.Fields = append(m.Fields, Field{Name: "body", Value: quote(into.bytes[m.Offset:]), Offset: m.Offset, Length: m.Length})
		}
		for i := range m.Fields {
			m.Fields[i].Offset = m.Offset
		}
		m.Short = callShort(&m, e)
		if e.Kind == recorder.Returned {
			h.Exit = e.Text
		}
		h.Messages = append(h.Messages, m)
	}
	h.Streams = []Stream{input.stream("input", true), output.stream("output", false)}
}

// callShort words an event for an arrow.
func callShort(m *Message, e recorder.Event) string {
	what := m.What
	if e.Kind == recorder.Called {
		what, _, _ = strings.Cut(what, "(")
		return what + "(" + number(len(e.Values), "value") + ")"
	}
	if status := named(e.Values, "status"); status != "" {
		what += " " + status
	}
	return what
}
