package chart

import (
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// cost shows what a request and a server cost: CPU time and memory.
func (v *run) cost() *figure {
	rows := panelRows(len(v.scenes), acrossMost)
	var alts []string
	for _, sc := range v.scenes {
		alts = append(alts, sc.Name+": "+v.each(sc, costWords))
	}
	return &figure{
		name: KindCost, kind: KindCost, compact: true,
		title: "CPU time per request and peak memory by model",
		sub:   "Of the server's whole process tree, child processes included. Each panel has its own scale, from 0.",
		caption: paragraphs(append(v.setups(),
			"Bar: median of the valid trials. "+v.whisker(v.scenes)+". CPU: user and system time, per successful response. "+v.memoryWords(),
			v.dashes(), v.colophon())...),
		alt:  "CPU time per request and peak memory by model. " + strings.Join(alts, " "),
		body: func(p *pen, width vg.Length) vg.Length { return p.blocksHeight(2*len(rows), v.models, width, false) },
		draw: func(p *pen, c draw.Canvas) {
			var all [][]block
			for _, row := range rows {
				one := [][]int{row}
				all = append(all, v.panels(one, cpuBlock)...)
				all = append(all, v.panels(one, memoryBlock)...)
			}
			p.blocks(c, v.models, all)
		},
	}
}

func cpuBlock(sc *scene) block {
	return costBlock(sc, sc.Name, "CPU time", "ms of CPU per request",
		func(c *reports.Cell) reports.Estimate { return c.CPUPerRequest })
}

func memoryBlock(sc *scene) block {
	return costBlock(sc, sc.Name, "memory", "peak memory (MiB)",
		func(c *reports.Cell) reports.Estimate { return c.Memory })
}

func costBlock(sc *scene, heading, sub, axis string, of func(*reports.Cell) reports.Estimate) block {
	b := block{heading: heading, sub: sub, axis: axis}
	for _, c := range sc.cells {
		x := bar{reason: why(c, func(c *reports.Cell) bool { return known(of(c)) })}
		if x.reason != "" && c != nil && c.Foreign && c.Valid > 0 {
			x.reason = "unknown: the lab did not start it"
		}
		if x.reason == "" {
			x.value = of(c)
		}
		b.bars = append(b.bars, x)
	}
	return b
}

// memoryWords says what kind of memory was measured.
func (v *run) memoryWords() string {
	kinds := map[string]bool{}
	for _, c := range v.Cells {
		if c != nil && known(c.Memory) {
			kinds[strings.ToLower(c.MemoryKind)] = true
		}
	}
	switch {
	case kinds["pss"] && kinds["rss"]:
		return "Memory: partly proportional, partly resident set size, which counts shared pages once per process; not comparable."
	case kinds["pss"]:
		return "Memory: proportional set size (PSS), shared pages divided among the processes that share them; with a process for each request, read once, at the end."
	case kinds["rss"]:
		return "Memory: resident set size (RSS), shared pages counted once per process."
	}
	return ""
}

func costWords(c *reports.Cell) string {
	var parts []string
	if known(c.CPUPerRequest) {
		parts = append(parts, number(c.CPUPerRequest.Median)+" ms of CPU per request")
	}
	if known(c.Memory) {
		parts = append(parts, number(c.Memory.Median)+" MiB")
	}
	return strings.Join(parts, ", ")
}
