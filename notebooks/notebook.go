package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A Notebook is what is read here of nbformat 4, beside the bytes it came from.
type Notebook struct {
	Cells []Cell `json:"cells"`
	json  []byte
}

// A Cell is one cell of a notebook.
type Cell struct {
	Type    string   `json:"cell_type"`
	Source  lines    `json:"source"`
	Outputs []Output `json:"outputs"`
}

// An Output is one thing that a code cell printed or displayed.
type Output struct {
	Type string         `json:"output_type"` // "stream", "display_data", "execute_result" or "error"
	Name string         `json:"name"`        // of a stream: "stdout" or "stderr"
	Text lines          `json:"text"`        // of a stream
	Data map[string]any `json:"data"`        // of the others, by MIME type
}

// lines is text that nbformat keeps as one string or as a list of lines.
type lines string

// UnmarshalJSON reads either form.
func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

func readNotebook(file string) (*Notebook, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("notebook: %w", err)
	}
	n, err := parseNotebook(b)
	if err != nil {
		return nil, fmt.Errorf("notebook %s: %w", file, err)
	}
	return n, nil
}

func parseNotebook(b []byte) (*Notebook, error) {
	n := &Notebook{json: b}
	if err := json.Unmarshal(b, n); err != nil {
		return nil, err
	}
	return n, nil
}

// machinePaths are the places that GoNB, Go and a home directory are found in.
var machinePaths = regexp.MustCompile(`/(?:tmp|root|home|Users|var/folders|usr/local/go)/[^\s"']*|gonb_[0-9a-f]{8}`)

// Check reports what does not belong into a stored notebook: a failure, a word
// on standard error, and a path of the machine it ran on.
func (n *Notebook) Check() error {
	var problems []error
	for i, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		for _, o := range c.Outputs {
			if o.Type == "error" || o.Name == "stderr" {
				problems = append(problems, fmt.Errorf("cell %d has an error among its outputs: %s", i+1, o.Text))
			}
		}
	}
	for _, p := range machinePaths.FindAll(n.json, -1) {
		problems = append(problems, fmt.Errorf("it holds a path of the machine it ran on: %s", p))
	}
	return errors.Join(problems...)
}

// Shape lists, cell by cell, the kinds of output: two runs of the same
// notebook differ in their figures but not in this.
func (n *Notebook) Shape() string {
	var b strings.Builder
	for i, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		fmt.Fprintf(&b, "cell %d:", i+1)
		for _, o := range c.Outputs {
			kind := o.Name
			if o.Type != "stream" {
				kind = strings.Join(slices.Sorted(maps.Keys(o.Data)), "+")
			}
			b.WriteString(" " + kind)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// lastPrinted is what the last cell that ran wrote to its standard streams.
func (n *Notebook) lastPrinted() string {
	for _, c := range slices.Backward(n.Cells) {
		if len(c.Outputs) == 0 {
			continue
		}
		var b strings.Builder
		for _, o := range c.Outputs {
			b.WriteString(string(o.Text))
		}
		return b.String()
	}
	return ""
}

// WriteFile stores the notebook, changed only where this run's outputs differ.
func (n *Notebook) WriteFile(file string) error {
	if err := os.WriteFile(file, append(bytes.TrimSpace(n.json), '\n'), 0o644); err != nil {
		return fmt.Errorf("notebook: %w", err)
	}
	return nil
}
