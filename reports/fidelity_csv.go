package reports

import (
	"encoding/csv"
	"fmt"
	"io"
)

// fidelityCSV writes one row for each aspect of each pair:
//
//	pair, twin, situation, aspect, unit
//	model_figure, twin_figure             each also with …_low, …_high
//	kind                                  ratio: model ÷ twin; difference: model − twin, of shares 0 … 1
//	by, by_low, by_high, confidence       by how much they differ
//	verdict                               same, different, undecided, unknown
//	cause, why                            of a difference; why nothing is known
func fidelityCSV(w io.Writer, f *Fidelity) error {
	out := csv.NewWriter(w)
	rows := [][]string{{
		"pair", "twin", "situation", "aspect", "unit", "model_figure", "model_figure_low", "model_figure_high",
		"twin_figure", "twin_figure_low", "twin_figure_high", "kind", "by", "by_low", "by_high", "confidence", "verdict", "cause", "why",
	}}
	three := func(e Estimate) []string {
		if !e.Known() {
			return []string{"", "", ""}
		}
		return []string{csvFloat(e.Median), csvFloat(e.Low), csvFloat(e.High)}
	}
	for _, l := range f.Rows {
		kind, sure := "ratio", ""
		if l.Share {
			kind = "difference"
		}
		if l.By.Known() {
			sure = csvFloat(l.By.Confidence)
		}
		row := append([]string{l.Pair, l.Twin, l.Situation, string(l.Aspect), l.Model.Unit}, three(l.Model)...)
		row = append(append(row, three(l.Other)...), kind)
		row = append(append(row, three(l.By)...), sure, string(l.Verdict), l.Cause, l.Why)
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}
