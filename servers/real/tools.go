package real

// A Tool is a program that is no server of the lab's, but that its tests, its
// notebooks or its users put beside it.
type Tool struct {
	Need Need
	For  string // what it is for, in a few words
}

// Tools are those there are, in the order in which they are shown.
func Tools() []Tool {
	program := func(name, what string) Tool { return Tool{Need{Executable, name}, what} }
	return []Tool{
		program("git", "the commit that results name"),
		program("gcc", "the race detector"),
		program("curl", "a client beside the lab's"),
		program("chromium", "a browser, for its HTTP/2 and WebSocket"),
		program("tshark", "takes recordings of lab trace apart"),
		program("php-fpm8.2", "a FastCGI responder behind the lab's front"),
		program("cgi-fcgi", "a FastCGI client before the lab's responder"),
		program("psql", "PostgreSQL's client: whether its packages are there"),
		{Need{PythonModule, "aiosqlite"}, "/db in asynchronous Python applications, over SQLite"},
		{Need{PythonModule, "asyncpg"}, "the same over PostgreSQL"},
		{Need{PythonModule, "psycopg2"}, "/db in blocking Python applications, over PostgreSQL"},
		program("wrk", "a load generator beside the lab's"),
		program("h2load", "a load generator beside the lab's, for HTTP/2"),
		{Need{PythonModule, "nbclient"}, "runs the notebooks"},
	}
}
