package reports

// csvTheory is what theory says of cells and stages.
func csvTheory() []csvField {
	held := func(r csvRecord) *Held {
		for i := range r.cell.Theory {
			h := &r.cell.Theory[i]
			if r.whole() && h.Part == "" || r.of != nil && r.part == "stage" && h.Part == r.of.Name {
				return h
			}
		}
		return nil
	}
	text := func(name string, of func(*Held) string) csvField {
		return csvOfAll(name, func(r csvRecord) string {
			if h := held(r); h != nil {
				return of(h)
			}
			return ""
		})
	}
	fields := []csvField{
		text("theory_method", func(h *Held) string { return string(h.Method) }),
		text("theory_name", func(h *Held) string { return h.Name }),
		text("theory_why_no_formula", func(h *Held) string { return h.Why }),
	}
	for _, q := range [][2]string{
		{"goodput", "goodput_per_s"}, {"response mean", "response_mean_ms"}, {"response p50", "response_p50_ms"}, {"response p99", "response_p99_ms"},
	} {
		of := func(pick func(Against) float64) func(*Held) string {
			return func(h *Held) string {
				a, ok := h.figure(q[0])
				if !ok {
					return ""
				}
				return csvFloat(pick(a))
			}
		}
		fields = append(fields,
			text("theory_"+q[1], of(func(a Against) float64 { return a.Predicted })),
			text("theory_"+q[1]+"_off_percent", of(func(a Against) float64 { return a.Percent })))
	}
	return fields
}
