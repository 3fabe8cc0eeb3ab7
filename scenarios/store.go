package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatewaylab/servers"
)

// A Store is a run directory:
//
//	run.json                     the plan, the environment, how it ended
//	trials/001-wait-async-1.json a trial, written when it ends
//	config/gunicorn/…            what a real program was started with, and how
//	raw/001-wait-async-1.gob     its hits in vegeta's encoding, if asked for
//
// The report and the plots are written beside these by others.
type Store struct{ Dir string }

// Create makes the run directory. It must not exist or be empty, so that no
// results are ever overwritten, and it must be writable.
func Create(dir string) (*Store, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("results folder %s is not empty; choose another --out", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("results folder: %w; choose another --out", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "trials"), 0o755); err != nil {
		return nil, fmt.Errorf("results folder: %w; choose another --out", err)
	}
	return &Store{dir}, nil
}

// SaveRun writes run.json.
func (s *Store) SaveRun(r *Result) error {
	return writeJSON(filepath.Join(s.Dir, "run.json"), r)
}

// SaveTrial writes one trial's file.
func (s *Store) SaveTrial(t *Trial) error {
	return writeJSON(filepath.Join(s.Dir, "trials", t.fileName()+".json"), t)
}

// SaveConfig writes the configuration that a contestant's programs were started
// with, if it has any.
func (s *Store) SaveConfig(label string, files []servers.ConfigFile) error {
	if len(files) == 0 {
		return nil
	}
	dir := filepath.Join(s.Dir, "config", fileSafe(label))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save the configuration of %s: %w", label, err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("save the configuration of %s: %w", label, err)
		}
	}
	return nil
}

// createRaw opens the file for a trial's hits.
func (s *Store) createRaw(r Ref) (*os.File, error) {
	dir := filepath.Join(s.Dir, "raw")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("raw hits: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, r.fileName()+".gob"))
	if err != nil {
		return nil, fmt.Errorf("raw hits: %w", err)
	}
	return f, nil
}

// fileName names a trial's files: its place in the run, then what it was.
func (r Ref) fileName() string {
	return fmt.Sprintf("%03d-%s-%s-%d", r.Order, r.Scenario, fileSafe(r.Model), r.Trial)
}

// fileSafe is a label as part of a file's name.
func fileSafe(label string) string {
	clean := func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '=' {
			return c
		}
		return '.'
	}
	safe := strings.Map(clean, label)
	return safe[:min(len(safe), 80)]
}

// writeJSON replaces a file whole or not at all.
func writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("save %s: %w", filepath.Base(name), err)
	}
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("save results: %w", err)
	}
	if err := os.Rename(tmp, name); err != nil {
		return fmt.Errorf("save results: %w", err)
	}
	return nil
}

// Load reads a run directory. A run that was cut off loads with the trials it
// finished and State "running".
func Load(dir string) (*Result, error) {
	r := new(Result)
	if err := readJSON(filepath.Join(dir, "run.json"), r); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a run directory: it has no run.json", dir)
		}
		return nil, err
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s: run.json has schema %q, this lab reads %q", dir, r.Schema, Schema)
	}
	names, err := filepath.Glob(filepath.Join(dir, "trials", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list trials of %s: %w", dir, err)
	}
	for _, n := range names {
		t := new(Trial)
		if err := readJSON(n, t); err != nil {
			return nil, err
		}
		r.Measured = append(r.Measured, t)
	}
	slices.SortFunc(r.Measured, func(a, b *Trial) int { return a.Order - b.Order })
	return r, nil
}

func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read results: %s is damaged: %w", name, err)
	}
	return nil
}
