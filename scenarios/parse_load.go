package scenarios

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"gatewaylab/scenarios/load"
)

// load reads a stage or a list of stages, each a mapping or a text.
func (p *fileParser) load(n ast.Node, to *[]load.Stage) error {
	items := []ast.Node{n}
	if seq, ok := n.(*ast.SequenceNode); ok {
		var err error
		if items, err = p.list(seq, "stage", MaxStages); err != nil {
			return err
		}
	}
	for _, item := range items {
		stages, err := p.stageOf(item)
		if err != nil {
			return err
		}
		for i := range stages {
			if err := p.replay(item, &stages[i]); err != nil {
				return err
			}
			p.stages = append(p.stages, item)
		}
		*to = append(*to, stages...)
	}
	return nil
}

func (p *fileParser) stageOf(n ast.Node) ([]load.Stage, error) {
	if kv, ok := split(n); ok {
		stages, err := ParseLoad(joined(kv))
		return stages, p.inSplit(kv, err)
	}
	if isMapping(n) {
		st, err := p.stage(n)
		return []load.Stage{st}, err
	}
	text, err := p.scalar(n, "a load as key: value lines or as text, such as constant 200/s over 5s")
	if err != nil {
		return nil, err
	}
	stages, err := ParseLoad(text)
	return stages, p.inText(n, err)
}

// split recognises a text form that YAML has split at a name's colon, into a
// mapping of one key: "calm: constant 10/s over 5s".
func split(n ast.Node) (kv *ast.MappingValueNode, ok bool) {
	kv, _ = n.(*ast.MappingValueNode)
	if m, is := n.(*ast.MappingNode); is && len(m.Values) == 1 {
		kv = m.Values[0]
	}
	if kv == nil || slices.Contains(partKeys, kv.Key.GetToken().Value) {
		return nil, false
	}
	value, ok := kv.Value.(*ast.StringNode)
	return kv, ok && strings.Contains(strings.TrimSpace(value.Value), " ")
}

// partKeys are those of stages and crowds.
var partKeys = slices.Concat(stageKeys, crowdKeys, []string{"request"})

func joined(kv *ast.MappingValueNode) string {
	return kv.Key.GetToken().Value + ": " + kv.Value.GetToken().Value
}

// inSplit puts a *GrammarError of a joined text where it stands in the file.
func (p *fileParser) inSplit(kv *ast.MappingValueNode, err error) error {
	var g *GrammarError
	if !errors.As(err, &g) {
		return err
	}
	n, at := ast.Node(kv.Key), g.Column-1
	if key := utf8.RuneCountInString(kv.Key.GetToken().Value + ": "); at >= key {
		n, at = kv.Value, at-key
	}
	return p.failIn(n, at, n.GetToken().Value, g.Msg)
}

func (p *fileParser) stage(n ast.Node) (load.Stage, error) {
	f := newStageForm()
	if _, err := p.mapping(n, "load", p.stageFields(f)...); err != nil {
		return f.stage, err
	}
	if f.shape.key == "" {
		return f.stage, p.fail(start(n), "load lacks its kind, such as constant: 200/s, ramp: 10/s..500/s or users: 50")
	}
	return f.stage, f.finish()
}

func (p *fileParser) stageFields(f *stageForm) []field { return p.pieces(f.take, stageKeys...) }

// lengths gives the load's only stage the length that the scenario says, if it
// has none of its own, and refuses the length where it has no use.
func (p *fileParser) lengths(stages []load.Stage, window time.Duration, said ast.Node) error {
	switch {
	case len(stages) == 1 && stages[0].For == 0:
		stages[0].For = window
	case len(stages) == 1 && said != nil:
		return p.fail(said, "for is the length of a load that doesn't say its own, and this one lasts %s; leave out one of them",
			durationText(stages[0].For))
	case said != nil:
		return p.fail(said, "for is the length of a load of one stage; each of these %d says its own with over", len(stages))
	}
	return nil
}
