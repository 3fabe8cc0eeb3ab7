package app

// routes is the table of routes, in the order of the index.
func routes() []route {
	return []route{
		{"/", readOnly, (*App).index, nil, "/                            this list"},
		{"/hello", readOnly, (*App).hello, nil, "/hello                       a tiny answer"},
		{"/wait", readOnly, (*App).wait, []param{millis()}, "/wait?ms=50                  waits, as if for a database"},
		{"/cpu", readOnly, (*App).cpu, []param{units()}, "/cpu?units=50                works; a unit is about 0.1 ms of CPU"},
		{"/mixed", readOnly, (*App).mixed, []param{millis(), units()}, "/mixed?ms=50&units=50        waits, then works"},
		{"/locked", readOnly, (*App).locked, []param{waiting(), holding()}, "/locked?wait=40&hold=10      waits, then holds the one lock of all processes"},
		{"/block", readOnly, (*App).block, []param{blocking()}, "/block?ms=200                waits and holds its thread, as a library does that knows no event loop"},
		{"/upstream", readOnly, (*App).upstreamed, []param{patience()}, "/upstream?timeout=1000       calls another service and says what it said"},
		{"/db", readOnly, (*App).db, []param{rowKey(), slowQuery(), rows(), open()}, "/db?op=select&key=1           asks a database: select, update (key, hold) or slow (ms, rows)"},
		{"/echo", "", (*App).echo, nil, "/echo                        the request as the application saw it"},
		{"/upload", "POST, PUT", (*App).upload, []param{first()}, "/upload?first=0              takes a body, answers its size and digest"},
		{"/stream", readOnly, (*App).stream, []param{chunks(), every()}, "/stream?chunks=5&every=100   a line, a pause of 100 ms, a line …"},
		{"/bytes", readOnly, (*App).bytes, []param{size(), pauses(), wide()}, "/bytes?n=1024&every=0        n bytes, with a pause after each 32 KiB; head=N: N more in a field"},
		{"/static/", readOnly, (*App).static, nil, "/static/                     a few small files"},
		{"/ws", readOnly, (*App).ws, nil, "/ws                          a WebSocket that sends back each message"},
		{"/crash", readOnly, (*App).crash, nil, "/crash                       the process dies"},
		{"/hang", readOnly, (*App).hang, nil, "/hang                        never answers"},
		{"/leak", readOnly, (*App).leak, []param{mebibytes()}, "/leak?mib=1                  keeps memory"},
	}
}

func (a *App) index(w Response, _ *Request, _ []int) error {
	var b []byte
	for _, r := range a.routes {
		b = append(append(b, r.about...), '\n')
	}
	return text(w, 200, string(b))
}

// ws is what is left of WebSocket for a server that can't change a connection
// into one: to say so (RFC 9110 section 15.5.22). One that can doesn't call it.
func (a *App) ws(w Response, _ *Request, _ []int) error {
	return text(w, 426, "426 upgrade required: WebSocket is spoken here, where the server can\n", Field{"Upgrade", "websocket"})
}

func (a *App) hello(w Response, _ *Request, _ []int) error { return text(w, 200, "hello\n") }
