package wire

import (
	"fmt"
	"strconv"

	"gatewaylab/servers/app"
)

// maxVarCount is how many variables a request may have. A header has far
// fewer fields; and duplicates are looked for pair by pair.
const maxVarCount = 1024

func tooMany(protocol string) error {
	return &ProtocolError{Protocol: protocol, Why: fmt.Sprintf("more than %d variables", maxVarCount), Oversize: true}
}

// lookup returns a variable, and whether it is set.
func lookup(vars []app.Field, name string) (string, bool) {
	for i := range vars {
		if vars[i].Name == name {
			return vars[i].Value, true
		}
	}
	return "", false
}

// contentLength is the size of the body that the variables announce, 0 where
// they don't.
func contentLength(protocol string, vars []app.Field) (int64, error) {
	size, found := int64(0), false
	for i := range vars {
		if vars[i].Name != "CONTENT_LENGTH" || vars[i].Value == "" && protocol != "SCGI" {
			continue
		}
		n, err := strconv.ParseUint(vars[i].Value, 10, 63)
		if err != nil {
			return 0, &ProtocolError{Protocol: protocol, Why: fmt.Sprintf("CONTENT_LENGTH %.40q is not a number of bytes", vars[i].Value)}
		}
		if found && int64(n) != size {
			return 0, &ProtocolError{Protocol: protocol, Why: fmt.Sprintf("CONTENT_LENGTH is both %d and %d", size, n)}
		}
		size, found = int64(n), true
	}
	return size, nil
}

// ParseParams reads the whole content of a PARAMS stream and appends its pairs
// to vars. They share one copy of it.
func ParseParams(stream []byte, vars []app.Field) ([]app.Field, error) {
	text := string(stream)
	for rest := stream; len(rest) > 0; {
		name, value, after, err := ParsePair(rest)
		switch {
		case err != nil:
			return vars, &ProtocolError{Protocol: "FastCGI", Why: "the PARAMS stream ends in the middle of a pair"}
		case len(name) == 0:
			return vars, &ProtocolError{Protocol: "FastCGI", Why: "a variable without a name"}
		case len(vars) == maxVarCount:
			return vars, tooMany("FastCGI")
		}
		end := len(text) - len(after)
		mid := end - len(value)
		vars = append(vars, app.Field{Name: text[mid-len(name) : mid], Value: text[mid:end]})
		rest = after
	}
	return vars, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
