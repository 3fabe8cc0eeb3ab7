//go:build linux

package interop

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

const unanswered = "no answer"

// upTo looks for the largest of some sizes, in powers of two, that passes, and
// for what is answered to the next.
func (s *site) upTo(from int, try func(kib int) (passes bool, status int, err error)) (string, error) {
	passed, refusal := 0, ""
	for kib := from; kib <= 1024; kib *= 2 {
		passes, status, err := try(kib)
		// An answer can be lost to whoever still sends when it comes.
		for again := 0; err != nil && status == 0 && again < 4; again++ {
			passes, status, err = try(kib)
		}
		if passes {
			passed = kib
			s.field = max(s.field, kib)
			continue
		}
		switch status {
		case http.StatusOK:
			return "", fmt.Errorf("%d KiB: not what was sent: %w", kib, err)
		case 0:
			refusal = ", then " + unanswered
		default:
			refusal = fmt.Sprintf(", then %d", status)
		}
		break
	}
	switch passed {
	case 0:
		return "", fmt.Errorf("%d KiB don't pass%s", from, refusal)
	case 1024:
		return "≥ 1 MiB", s.recovers()
	}
	return fmt.Sprintf("%d KiB%s", passed, refusal), s.recovers()
}

func longestField(s *site, _ time.Duration) (string, error) {
	many := get("/echo")
	for i := range 60 {
		many.header = append(many.header, app.Field{Name: fmt.Sprintf("X-Many-%02d", i), Value: "v"})
	}
	if _, _, body, err := s.ask(many); err != nil || strings.Count(body, "header X-Many-") != 60 {
		return "", errors.Join(err, fmt.Errorf("60 fields: /echo shows\n%s", body))
	}
	return s.upTo(2, func(kib int) (bool, int, error) {
		value := strings.Repeat("0123456789abcdef", kib*64)
		r := get("/echo")
		r.header = []app.Field{{Name: "X-Long", Value: value}}
		status, _, body, err := s.ask(r)
		return err == nil && status == 200 && hasLine(body, "header X-Long: "+value), status, err
	})
}

func largestHead(s *site, _ time.Duration) (string, error) {
	value := strings.Repeat("0123456789abcdef", 60)
	return s.upTo(max(s.field/2, 2), func(kib int) (bool, int, error) {
		r := get("/echo")
		for i := range kib {
			r.header = append(r.header, app.Field{Name: fmt.Sprintf("X-Head-%04d", i), Value: value})
		}
		status, _, body, err := s.ask(r)
		return err == nil && status == 200 && strings.Count(body, ": "+value+"\n") == kib, status, err
	})
}

func answersField(s *site, _ time.Duration) (string, error) {
	return s.upTo(2, func(kib int) (bool, int, error) {
		status, header, body, err := s.ask(get(fmt.Sprintf("/bytes?n=5&head=%d", kib<<10)))
		return err == nil && status == 200 && body == app.Pattern[:5] && header.Get("X-Head") == strings.Repeat("x", kib<<10), status, err
	})
}
