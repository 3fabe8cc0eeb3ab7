package app

import _ "embed" // embed.FS would do, but needs more code at start-up than four strings

var (
	//go:embed static/index.html
	indexHTML string
	//go:embed static/style.css
	styleCSS string
	//go:embed static/lab.svg
	labSVG string
	//go:embed static/about.txt
	aboutTXT string
)

// static serves files by their exact names from a closed list, so there is no
// path to climb.
func (a *App) static(w Response, r *Request, _ []int) error {
	switch r.Path {
	case "/static/", "/static/index.html":
		return content(w, 200, "text/html; charset=utf-8", indexHTML)
	case "/static/style.css":
		return content(w, 200, "text/css; charset=utf-8", styleCSS)
	case "/static/lab.svg":
		return content(w, 200, "image/svg+xml", labSVG)
	case "/static/about.txt":
		return content(w, 200, "text/plain; charset=utf-8", aboutTXT)
	}
	return text(w, 404, "404 not found: / lists the routes\n")
}
