package scenarios

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatewaylab/servers"
)

func fileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(FileSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds a scenario file against the schema. Its error is also YAML's.
func valid(s *jsonschema.Schema, src []byte) error {
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestSchemaTakesGoodFiles(t *testing.T) {
	s := fileSchema(t)
	for _, folder := range []fs.FS{files, os.DirFS("testdata/good")} {
		names, err := fs.Glob(folder, "*.yaml")
		if err != nil || len(names) < 3 {
			t.Fatalf("%v, %v", names, err)
		}
		for _, n := range names {
			src, err := fs.ReadFile(folder, n)
			if err != nil {
				t.Fatal(err)
			}
			if err := valid(s, src); err != nil {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
}

// beyondSchema are bad files whose mistake only Parse finds: a text form's
// grammar, what parts must agree on, models and expectations, other files.
var beyondSchema = []string{
	"005-two-documents", "029-models-unknown", "030-models-option", "038-timeout-tiny", "039-for-too-short",
	"045-load-text-second-stage", "046-load-text-quoted-column", "047-load-text-folded", "052-load-ramp-nothing",
	"059-load-spike-outside", "060-load-spike-outside-for", "067-load-over-too-long", "069-load-list-without-over",
	"071-load-same-name", "073-load-too-long", "074-load-too-short", "075-replay-missing-file", "076-replay-bad-file",
	"083-requests-same", "084-request-text-option", "088-request-size-too-large", "094-request-header-own",
	"099-max-in-flight-of-users", "100-websocket-post", "108-beside-no-body", "109-beside-weight", "110-beside-same",
	"113-hurt-without-fault", "117-models-as-twice", "118-models-as-other", "120-models-column",
	"122-expect-syntax", "123-expect-model", "124-expect-quantity", "126-expect-unknown-stage",
	"128-split-text", "129-split-second", "130-split-crowd", "131-escapes",
	"135-upstream-text-key", "136-upstream-delay", "137-upstream-spread", "138-upstream-uniform", "141-upstream-shares",
	"142-upstream-twice", "143-upstream-uncalled", "144-upstream-missing", "150-db-missing", "152-tune-order", "154-tune-open",
}

func TestSchemaRefusesBadFiles(t *testing.T) {
	s := fileSchema(t)
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	for _, n := range names {
		src, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if valid(s, src) == nil {
			taken = append(taken, strings.TrimSuffix(filepath.Base(n), ".yaml"))
		}
	}
	if !slices.Equal(taken, beyondSchema) {
		t.Errorf("of %d bad files the schema takes\n%q, want\n%q", len(names), taken, beyondSchema)
	}
}

// The schema and the parser have the same keys.
func TestSchemaHasTheParsersKeys(t *testing.T) {
	var doc struct {
		Defs map[string]struct {
			object
			AnyOf []object `json:"anyOf"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(FileSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	p, scenario, window := &fileParser{}, newScenario(), time.Duration(0)
	check := func(what string, o object, fields []field) {
		var keys, required []string
		for _, f := range fields {
			keys = append(keys, f.key)
			if f.required {
				required = append(required, f.key)
			}
		}
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(o.Properties)); !slices.Equal(got, keys) {
			t.Errorf("%s has the keys\n%q in the schema and\n%q in the parser", what, got, keys)
		}
		for _, r := range required {
			if !slices.Contains(o.Required, r) {
				t.Errorf("%s: %s is required by the parser and not by the schema", what, r)
			}
		}
	}
	check("scenario", doc.Defs["scenario"].object, p.scenarioFields(scenario, &window))
	check("text", doc.Defs["scenario"].Properties["text"], p.textFields(&scenario.Text))
	check("backing", doc.Defs["scenario"].Properties["backing"], p.backingFields(&scenario.Backing))
	check("suite", doc.Defs["suite"].object, p.suiteFields(&Suite{}))
	check("pair", doc.Defs["pair"].object, p.pairFields(&Pair{}))
	check("situation", doc.Defs["situation"].object, p.situationFields(scenario, &window))
	for def, fields := range map[string][]field{
		"stage": p.stageFields(newStageForm()), "request": p.requestFields(newRequestForm()),
		"crowd": p.crowdFields(newCrowdForm()), "model": p.entryFields(&Entry{}),
		"upstream": p.pieces(nil, optionKeys(&servers.Services()[0])...),
		"db":       p.pieces(nil, optionKeys(&servers.Services()[1])...),
	} {
		forms := doc.Defs[def].AnyOf
		i := slices.IndexFunc(forms, func(o object) bool { return len(o.Properties) > 0 })
		if i < 0 {
			t.Fatalf("%s is no object in the schema", def)
		}
		check(def, forms[i], fields)
	}
}

type object struct {
	Properties map[string]object `json:"properties"`
	Required   []string          `json:"required"`
}

func TestSchemaRefusesBadSuites(t *testing.T) {
	s := fileSchema(t)
	src, err := files.ReadFile("fidelity.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"trials: 4":                  "trails: 4",
		"    twin: uvicorn\n":        "",
		"compare: [in-time]":         "compare: [in-tme]",
		"    compare: [in-time]\n":   "",
		`request: "/wait?ms=25"`:     `request: "wait"`,
		"load: constant 320/s":       "models: [async]\n    load: constant 320/s",
		"situations:":                "situations: []\nother:",
		"name: fidelity":             "name: Fidelity",
		"timeout: 1s\n    hurt: 300": "timeout: 1\n    hurt: 300",
	} {
		bad := strings.Replace(string(src), from, to, 1)
		if bad == string(src) {
			t.Fatalf("%q is not in the suite", from)
		}
		if valid(s, []byte(bad)) == nil {
			t.Errorf("the schema takes %q", to)
		}
	}
}
