package servers

import "os/exec"

// NullServer is a server that answers every request with the bytes of /hello
// and does nothing else. It is no model: what a load generator achieves against
// it is the generator's own limit.
func NullServer() *Configured {
	return &Configured{
		Spec: Spec{Model: Part{Name: "null"}},
		Model: &Model{
			Name: "null", Doc: "canned bytes, for the load generator's own limit", Process: "one process", Wire: WireHTTP, Interface: "none", HTTP: "1.1", Async: true,
			Slots: func(Settings) int { return 0 }, Noun: "connection",
			Commands: func(_ Settings, p Programs) []*exec.Cmd { return []*exec.Cmd{serverCommand(p, "null")} },
			Serves:   func(path string) bool { return path == "/hello" },
		},
	}
}
