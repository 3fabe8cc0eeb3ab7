package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/real"
)

// nginx is the web server that stands before most applications. It listens on
// the socket that the lab has bound, which it takes over as it does from its
// own predecessor when its binary is upgraded: the environment variable NGINX
// names the descriptor, and a listen directive of the same address finds it.
func nginx() Front {
	return Front{
		Name:       "nginx",
		Doc:        "nginx with a configuration made for the model's protocol",
		Process:    "a few worker processes, each an event loop, under a master",
		HTTP:       "1.0, 1.1, WebSocket",
		Wires:      []string{WireHTTP, WireFastCGI, WireSCGI, WireUWSGI},
		Normalises: true,
		Options: append(balancing(),
			Option{"workers", "2", "worker processes", whole(1, 256)},
			Option{"buffering", "on", "take requests and answers in before passing them on", oneOf("on", "off")},
			Option{"keepalive", "32", "idle connections that each worker keeps to the model; 0 = a new one for each request", whole(0, 4096)},
			Option{"static", "off", "on: answer /static/ without asking the application", oneOf("off", "on")},
			backlog(),
		),
		Needs: []string{"nginx"},
		Commands: func(p *Passage) ([]*exec.Cmd, error) {
			if err := p.writeNginx(); err != nil {
				return nil, err
			}
			found, err := real.Find(executables([]string{"nginx"}))
			if err != nil {
				return nil, err
			}
			config := filepath.Join(p.Folder, "nginx.conf")
			// QUIT has it finish what it serves; TERM would not.
			cmd := serverCommand(p.Programs, "guard", "-stop", "SIGQUIT", "-remove", p.Folder, "--",
				found[0].Path, "-q", "-e", "stderr", "-p", p.Folder, "-c", config)
			cmd.Env = append(cmd.Environ(), "NGINX=3;")
			return []*exec.Cmd{cmd}, nil
		},
		Config: nginxConfig,
	}
}

// manyRequests is how many requests nginx serves on a connection, to either
// side, before it closes it: as many as where it stands alone. By itself it
// makes a new one every 1,000, which no other front here does.
const manyRequests = 1_000_000

// writeNginx writes the configuration, and the files that it serves itself.
func (p *Passage) writeNginx() error {
	config, err := nginxConfig(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Folder, "nginx.conf"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("write nginx's configuration: %w", err)
	}
	if p.Settings["static"] != "on" {
		return nil
	}
	if err := os.Mkdir(filepath.Join(p.Folder, "static"), 0o700); err != nil {
		return fmt.Errorf("write the static files: %w", err)
	}
	for _, f := range app.Files() {
		if err := os.WriteFile(filepath.Join(p.Folder, filepath.FromSlash(f.Path)), []byte(f.Content), 0o600); err != nil {
			return fmt.Errorf("write the static files: %w", err)
		}
	}
	return nil
}

// nginxConfig is a small configuration, as one would have it in production:
// nothing is logged for each request, connections to the model are kept, and
// what only a proxy may say of the client is nginx's own.
func nginxConfig(p *Passage) (string, error) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if err := p.nginxMain(line); err != nil {
		return "", err
	}
	line("http {")
	line("    access_log off;")
	line("    server_tokens off;")
	line("    default_type application/octet-stream;")
	line("    client_max_body_size 1g;")
	line("    keepalive_requests %d;", manyRequests)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		line("    %s_temp_path %s;", kind, nginxQuote(filepath.Join(p.Folder, "temp-"+kind)))
	}
	p.nginxUpstream(line)
	if p.Model.Wire == WireHTTP {
		line("    map $http_upgrade $lab_upgrade { default \"\"; ~*^websocket$ websocket; }")
		otherwise := `""` // neither close nor keep-alive: HTTP/1.1 keeps it
		if p.Settings["keepalive"] == "0" {
			otherwise = "close"
		}
		line("    map $lab_upgrade $lab_connection { default upgrade; \"\" %s; }", otherwise)
	}
	line("    server {")
	line("        listen %s;", p.nginxListen())
	if p.Settings["static"] == "on" {
		p.nginxStatic(line)
	}
	line("        location / {")
	p.nginxPass(line)
	line("        }\n    }\n}")
	return b.String(), nil
}

func (p *Passage) nginxMain(line func(string, ...any)) error {
	line("daemon off;")
	line("worker_processes %s;", p.Settings["workers"])
	line("pid %s;", nginxQuote(filepath.Join(p.Folder, "nginx.pid")))
	line("error_log stderr warn;")
	if os.Geteuid() == 0 { // else its workers become somebody who can't enter the folder
		u, err := user.Current()
		if err != nil {
			return fmt.Errorf("find who nginx is to run as: %w", err)
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			return fmt.Errorf("find who nginx is to run as: %w", err)
		}
		line("user %s %s;", u.Username, g.Name)
	}
	line("events { worker_connections 4096; }")
	return nil
}

func (p *Passage) nginxListen() string {
	listen := p.Address
	if host, _, err := net.SplitHostPort(p.Address); err == nil && net.ParseIP(host).Equal(net.IPv6unspecified) {
		listen += " ipv6only=off"
	}
	return listen + " backlog=" + p.Settings["backlog"]
}

func (p *Passage) nginxUpstream(line func(string, ...any)) {
	line("    upstream model {")
	switch p.Settings["balance"] {
	case "random":
		line("        random;")
	case "least-connections":
		line("        least_conn;")
	}
	for _, u := range p.Upstreams {
		address := u.Address
		if u.Network == "unix" {
			address = "unix:" + address
		}
		line("        server %s max_fails=3 fail_timeout=1s;", nginxQuote(address))
	}
	if p.keepsUpstream() {
		line("        keepalive %s;", p.Settings["keepalive"])
		line("        keepalive_requests %d;", manyRequests)
	}
	line("    }")
}

// keepsUpstream says whether connections to the model are kept. SCGI and uwsgi
// end each with the answer.
func (p *Passage) keepsUpstream() bool {
	switch {
	case p.Settings["keepalive"] == "0":
		return false
	case p.Model.Wire == WireFastCGI:
		return p.Behind["reuse"] == "on"
	}
	return p.Model.Wire == WireHTTP
}

// nginxStatic has nginx answer for the application's files with the
// application's types.
func (p *Passage) nginxStatic(line func(string, ...any)) {
	line("        location /static/ {")
	line("            root %s;", nginxQuote(p.Folder))
	line("            charset utf-8;")
	line("            charset_types text/css text/plain;") // text/html always
	line("            types { text/html html; text/css css; text/plain txt; image/svg+xml svg; }")
	line("            etag off;")
	line("        }")
}

// nginxPass passes requests on.
func (p *Passage) nginxPass(line func(string, ...any)) {
	set := func(format string, args ...any) { line("            "+format+";", args...) }
	prefix := map[string]string{WireHTTP: "proxy", WireFastCGI: "fastcgi", WireSCGI: "scgi", WireUWSGI: "uwsgi"}[p.Model.Wire]
	set("%s_buffering %s", prefix, p.Settings["buffering"])
	if prefix == "scgi" {
		// Off, nginx 1.22 gives what it has read so far as the CONTENT_LENGTH.
		set("scgi_request_buffering on")
	} else {
		set("%s_request_buffering %s", prefix, p.Settings["buffering"])
	}
	set("%s_hide_header X-Powered-By", prefix)
	if prefix == "proxy" {
		set("proxy_pass http://model")
		set("proxy_http_version 1.1")
		set("proxy_set_header Host $http_host")
		set("proxy_set_header Connection $lab_connection")
		set("proxy_set_header Upgrade $lab_upgrade")
		set("proxy_set_header X-Forwarded-For $remote_addr")
		set("proxy_set_header X-Forwarded-Proto $scheme")
		set(`proxy_set_header Forwarded ""`)
		set(`proxy_set_header X-Real-Ip ""`)
		set(`proxy_set_header Proxy ""`)
		return
	}
	set("%s_pass model", prefix)
	if prefix == "fastcgi" && p.keepsUpstream() {
		set("fastcgi_keep_conn on")
	}
	for _, v := range nginxVariables(p.Model.Wire) {
		set("%s_param %s", prefix, v)
	}
	if p.Script != "" {
		set("%s_param SCRIPT_FILENAME %s", prefix, nginxQuote(p.Script))
	}
}

// nginxVariables are the CGI variables as nginx knows them. A path reaches the
// application without its dot segments and doubled slashes. A request without
// a body has no CONTENT_LENGTH (RFC 3875 §4.1.2), and a client's Proxy field no
// HTTP_PROXY (CVE-2016-5385).
func nginxVariables(wire string) []string {
	vars := []string{
		"GATEWAY_INTERFACE CGI/1.1",
		"PATH_INFO $uri",
		"QUERY_STRING $query_string",
		"REMOTE_ADDR $remote_addr",
		"REMOTE_PORT $remote_port",
		"REQUEST_METHOD $request_method",
		"REQUEST_URI $request_uri",
		`SCRIPT_NAME ""`,
		"SERVER_NAME $host",
		"SERVER_PORT $server_port",
		"SERVER_PROTOCOL $server_protocol",
		"SERVER_SOFTWARE nginx",
		"CONTENT_TYPE $content_type if_not_empty",
		`HTTP_PROXY "" if_not_empty`,
		`HTTP_CONTENT_TYPE "" if_not_empty`,
		`HTTP_CONTENT_LENGTH "" if_not_empty`,
	}
	if wire == WireSCGI { // nginx puts CONTENT_LENGTH in by itself, first
		return append(vars, "SCGI 1")
	}
	return append(vars, "CONTENT_LENGTH $content_length if_not_empty")
}

// nginxQuote writes a path as a word of nginx's configuration.
func nginxQuote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
