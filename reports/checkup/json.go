package checkup

import (
	"encoding/json"
	"io"
)

// JSON writes the checkup as one document, by its Go types.
func JSON(w io.Writer, c *Checkup) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(c)
}
