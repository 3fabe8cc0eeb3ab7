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

// A File is a static file.
type File struct{ Path, Type, Content string }

// Files are the static files, for a server that answers for them without the
// application. /static/ is /static/index.html.
func Files() []File {
	return []File{
		{"/static/index.html", "text/html; charset=utf-8", indexHTML},
		{"/static/style.css", "text/css; charset=utf-8", styleCSS},
		{"/static/lab.svg", "image/svg+xml", labSVG},
		{"/static/about.txt", "text/plain; charset=utf-8", aboutTXT},
	}
}

// static serves files by their exact names from a closed list, so there is no
// path to climb.
func (a *App) static(w Response, r *Request, _ []int) error {
	if f, known := fileOf(r.Path); known {
		return content(w, 200, f.Type, f.Content)
	}
	return text(w, 404, "404 not found: / lists the routes\n")
}

// fileOf is the file that a path names.
func fileOf(path string) (f File, known bool) {
	if path == "/static/" {
		path = "/static/index.html"
	}
	for _, f := range Files() {
		if f.Path == path {
			return f, true
		}
	}
	return File{}, false
}
