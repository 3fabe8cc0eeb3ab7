// Package reports turns trials into statements. Analyse does it once; every
// renderer (text, Markdown, CSV, JSON, plots, pages) shows the same Report and
// computes nothing of its own, so that two outputs of one run never disagree.
//
// The trial is the unit: a figure is computed for each valid trial, and what
// is printed is the median over trials with its 95 % interval. Nothing is
// assumed about how trials are distributed. Where two models can't be told
// apart the report says "~", and where something is not known it says "–" and
// why.
//
// # JSON
//
// The document that [JSON] writes is a [Report]; its field names are stable
// within one value of "schema". The part most programs want is "cells", one
// for each scenario and model:
//
//	{
//	  "schema": "gatewaylab/report/2",
//	  "state": "complete",
//	  "cells": [{
//	    "scenario": "wait", "model": "prefork:workers=4",
//	    "trials": 6, "valid": 6, "samples": 950,
//	    "goodput": {"median": 79.1, "low": 78.9, "high": 79.4, "n": 6, "unit": "1/s", "confidence": 0.969},
//	    "response": {"mean": {…}, "p50": {"median": 632, …, "unit": "ms"}, "p90": {…}, "p99": {…}, "max": {…}},
//	    "service": {…}, "first_byte": {…}, "lag": {}, "gaps": {},
//	    "errors": {"timeout": 3}, "failed": 3, "unsent": 0,
//	    "cpu_per_request": {"median": 0.42, …, "unit": "ms"},
//	    "memory": {"median": 21.5, …, "unit": "MiB"}, "memory_kind": "pss",
//	    "stages": [{"name": "rush", "kind": "ramp", "from": 2, "to": 5, "offered": {…}, "goodput": {…}, "response": {…}, …}],
//	    "requests": [], "beside": [], "faults": {"sent": 12, "failed": 12, "failed_share": {…}, "recovery": {…}, …},
//	    "backing": [{"service": "upstream", "settings": "100ms", "calls": {…}, "busy": {…}, "late": {…}, "cpu": {…}, "failed": 0, …}],
//	    "restarts": {"median": 2, …},
//	    "rank": 2, "ratio": 0.082, "compared": true, "p": 0.002, "tied": [],
//	    "explanation": "4 workers × 50 ms can finish 80 requests/s; measured 79.1.",
//	    "warnings": [], "footnotes": [], "invalid": [],
//	    "curve": [{"q": 0.5, "ms": 632}, …], "series": […], "each": […]
//	  }],
//	  "footnotes": []
//	}
//
// The report of a run that looked for the load that models hold (lab capacity)
// has "capacity" besides, a [Capacity]: the objective, what was found of each
// model, and every point with its verdict; the points' figures are its cells.
//
// A run of pairs has "fidelity" besides, in which each of "rows" holds one aspect
// of a model against its twin's in one situation: both sides' figures, "by" how
// much they differ (a ratio, or with "share" a difference of shares), the
// "verdict" (same, different, undecided, unknown) and, of a difference, its
// "cause" where that is known.
//
// "groups" has the models' labels by whose they are: "built-in", "real" (a program
// that nobody here wrote takes part), "target" (the lab didn't start it).
// A cell of a model that was not measured at all has "refused", the reason; one that was
// held against theory has "theory", in which each figure has what was "predicted", what
// was "measured" with its interval ("low", "high"), and the difference in "percent".
//
// An estimate that is not known has "n": 0 and null for its figures, never 0.
// A quantile that the sample can't support is absent from its object. A cell
// with "not_spoken" was not measured, since its model doesn't speak the
// scenario's protocol, and says how it answered; with "not_offered", what it runs
// lacks that path. Times
// in "scenarios" are Go durations, in nanoseconds; all times in "cells" are
// milliseconds, all rates per second.
package reports
