package reports

// Colours are what models are drawn in, in their order, wherever a report is
// drawn: Okabe and Ito's (Color Universal Design, 2008), which people with any
// kind of colour vision tell apart, the too pale ones exchanged, and ordered
// so that the first three differ most. As #RRGGBB, for a light or a dark
// background.
func Colours(dark bool) []string {
	if dark {
		return []string{"#56B4E9", "#E8781E", "#1FBF92", "#F2F2F2", "#C76BA8", "#F0E442"}
	}
	return []string{"#0072B2", "#D55E00", "#009E73", "#333333", "#882255", "#CC79A7"}
}
