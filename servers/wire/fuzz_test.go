package wire

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"gatewaylab/servers/app"
)

// What is parsed as a record and written again is the same record, but for
// what the padding holds and how much of it there is.
func FuzzRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		for rest := in; ; {
			h, content, after, err := ParseRecord(rest)
			if err != nil {
				return
			}
			if len(rest)-len(after) != RecordHeader+h.Content+h.Padding {
				t.Fatalf("%+v took %d bytes", h, len(rest)-len(after))
			}
			again := AppendRecord(nil, h.Type, h.ID, content)
			h2, content2, none, err := ParseRecord(again)
			if err != nil || h2.Type != h.Type || h2.ID != h.ID || !bytes.Equal(content, content2) || len(none) != 0 {
				t.Fatalf("%+v %q became %+v %q, %v", h, content, h2, content2, err)
			}
			rest = after
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		vars, err := ParseParams(in, nil)
		if err != nil {
			return
		}
		var again []byte
		for _, v := range vars {
			again = AppendPair(again, v.Name, v.Value)
		}
		if len(again) > len(in) {
			t.Errorf("%q became longer: %q", in, again)
		}
		back, err := ParseParams(again, nil)
		if err != nil || !slices.Equal(back, vars) {
			t.Errorf("%q became %q, %v", vars, back, err)
		}
	})
}

func FuzzUWSGI(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		vars, err := ParseUWSGIVars(in, nil)
		if err != nil || len(in) > MaxUWSGI {
			return
		}
		packet, err := AppendUWSGI(nil, vars)
		if err != nil || !bytes.Equal(packet[UWSGIHeaderLen:], in) || ParseUWSGIHeader(packet).Size != len(in) {
			t.Errorf("%q became %q, %v", in, packet, err)
		}
	})
}

func FuzzSCGI(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		n, read, err := ParseNetstringLength(in)
		if err != nil || read == 0 || len(in) != read+n+1 || in[read+n] != ',' {
			return
		}
		vars, err := ParseSCGIVars(in[read:read+n], nil)
		if err != nil {
			return
		}
		again, err := AppendSCGI(nil, vars)
		if err != nil {
			t.Fatalf("%q: %v", vars, err)
		}
		n, read, err = ParseNetstringLength(again)
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		back, err := ParseSCGIVars(again[read:read+n], nil)
		byName := func(a, b app.Field) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }
		slices.SortFunc(vars, byName)
		slices.SortFunc(back, byName)
		if err != nil || !slices.Equal(back, vars) {
			t.Errorf("%q became %q, %v", vars, back, err)
		}
	})
}

// Whatever a peer sends, a responder returns, and has answered nothing but
// requests that were complete.
func FuzzResponders(f *testing.F) {
	handler := func(x *Exchange) error {
		if _, err := io.Copy(io.Discard, x.Body); err != nil {
			return err
		}
		_, err := io.WriteString(x.Out, "Content-Type: text/plain\n\nok\n")
		return err
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, serve := range []func(io.ReadWriter) (bool, error){
			NewFastCGIResponder(handler, ServeOptions{MaxVars: 1 << 10}).Serve,
			NewSCGIResponder(handler, ServeOptions{MaxVars: 1 << 10}).Serve,
			NewUWSGIResponder(handler, ServeOptions{}).Serve,
		} {
			c := &recorded{in: bytes.NewReader(in)}
			if _, err := serve(c); err == nil && c.out.Len() == 0 && len(in) == 0 {
				t.Error("no request, no error")
			}
		}
	})
}

// A responder's answer, whatever it is, ends.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, do := range clients(dialTo(func(c *pipeEnd) {
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, _ = c.Write(in)
			c.Close()
		})) {
			a, err := do(t.Context(), []app.Field{{Name: "REQUEST_METHOD", Value: "GET"}}, nil)
			if err != nil {
				continue
			}
			_, _ = io.Copy(io.Discard, a)
			a.Close()
		}
	})
}
