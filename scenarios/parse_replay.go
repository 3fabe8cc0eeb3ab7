package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml/ast"

	"gatewaylab/scenarios/load"
)

// An opener opens a file of arrivals by the name that a stage has for it.
type opener func(name string) (fs.File, error)

// beside opens files by names that are relative to a scenario file's folder.
func beside(scenario string) opener {
	return func(name string) (fs.File, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(scenario), name)
		}
		return openRegular(name)
	}
}

// openRegular refuses what is no plain file before it opens it: a pipe would
// be waited for.
func openRegular(name string) (fs.File, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	return os.Open(name)
}

// ReadReplays reads the arrivals of every replay among the stages, whose files
// are relative to the working folder, and gives those without a length the
// first whole second after their last arrival.
func ReadReplays(stages []load.Stage) error {
	for i := range stages {
		if err := readReplay(&stages[i], openRegular); err != nil {
			return err
		}
	}
	return nil
}

func readReplay(s *load.Stage, open opener) error {
	if s.Shape != load.Replay {
		return nil
	}
	f, err := open(s.File)
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the name is the stage's, whatever the folder
	}
	if err != nil {
		return fmt.Errorf("replay: %s: %w", s.File, err)
	}
	defer f.Close() //nolint:errcheck // only read
	if s.Times, err = load.ReadArrivals(s.File, f); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if s.For == 0 {
		s.For = load.ReplayLength(s.Times)
	}
	return nil
}

func (p *fileParser) replay(n ast.Node, s *load.Stage) error {
	err := readReplay(s, p.open)
	if err == nil {
		return nil
	}
	at := start(n)
	if pairs, perr := p.pairs(n, "load"); perr == nil {
		for _, kv := range pairs {
			if kv.Key.GetToken().Value == "replay" {
				at = kv.Value
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return p.fail(at, "%v; its name is relative to the scenario file", err)
	}
	return p.fail(at, "%v", err)
}
