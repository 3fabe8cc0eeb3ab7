package chart

import (
	"fmt"
	"image/color"
	"strconv"

	"gatewaylab/reports"
)

// A theme is a set of colours for one background. Text reaches a contrast of
// at least 4.5:1 on it, marks and lines at least 3:1 (WCAG 2.2, 1.4.3 and
// 1.4.11).
type theme struct {
	back   color.NRGBA
	ink    color.NRGBA // text that matters, whiskers
	muted  color.NRGBA // captions, units, reasons
	axis   color.NRGBA
	grid   color.NRGBA
	shade  color.NRGBA   // the warm-up
	series []color.NRGBA // reports.Colours
}

func themeNamed(name string) (*theme, error) {
	switch name {
	case "light":
		return &theme{
			back: rgb(0xFFFFFF), ink: rgb(0x1A1A1A), muted: rgb(0x555B62),
			axis: rgb(0x767C84), grid: rgb(0xE1E4E8), shade: rgb(0xEEF0F3),
			series: series(false),
		}, nil
	case "dark":
		return &theme{
			back: rgb(0x12161C), ink: rgb(0xF4F6F8), muted: rgb(0xB4BCC6),
			axis: rgb(0x8B95A1), grid: rgb(0x2C343E), shade: rgb(0x222932),
			series: series(true),
		}, nil
	}
	return nil, fmt.Errorf("plots: unknown theme %q; choose from light, dark", name)
}

func series(dark bool) []color.NRGBA {
	var all []color.NRGBA
	for _, hex := range reports.Colours(dark) {
		v, err := strconv.ParseUint(hex[1:], 16, 32)
		if err != nil {
			panic(err) // a constant of our own
		}
		all = append(all, rgb(uint32(v)))
	}
	return all
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xFF}
}

// blend mixes the share of top into under; the result is opaque, which SVG
// viewers and printers treat alike.
func blend(under, top color.NRGBA, share float64) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-share) + float64(b)*share + 0.5) }
	return color.NRGBA{R: mix(under.R, top.R), G: mix(under.G, top.G), B: mix(under.B, top.B), A: 0xFF}
}

// faded is a colour that lets what lies beneath shine through.
func faded(c color.NRGBA, share float64) color.NRGBA {
	c.A = uint8(share*255 + 0.5)
	return c
}
