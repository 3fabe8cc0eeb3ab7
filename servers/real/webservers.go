package real

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// slowVariable has the application wait so many times as long.
const slowVariable = "GATEWAYLAB_SLOW"

// passed are the variables of the lab's that the application needs, for the
// configuration of those that hand nothing on unless it is named. What is named
// has to be set; see unset.
func passed() []string {
	return []string{"GATEWAYLAB_LOCK", slowVariable, "GATEWAYLAB_UPSTREAM", "GATEWAYLAB_DB", "GATEWAYLAB_DB_POOL"}
}

// unset is what the variables are where the lab doesn't set them.
func unset() []string {
	return []string{slowVariable + "=1", "GATEWAYLAB_UPSTREAM=", "GATEWAYLAB_DB=", "GATEWAYLAB_DB_POOL="}
}

// Nginx is nginx by itself: it runs no application, and answers what it can
// answer without one.
func Nginx() *Program {
	return &Program{
		Stop:  "SIGQUIT",
		Needs: func(Settings) []Need { return []Need{{Executable, "nginx"}} },
		Setup: func(site *Site) (*Setup, error) {
			path, err := executable("nginx")
			if err != nil {
				return nil, err
			}
			dir, err := Apps("")
			if err != nil {
				return nil, err
			}
			return &Setup{
				Argv: []string{path, "-p", site.Folder, "-e", "stderr", "-c", filepath.Join(site.Folder, "nginx.conf")},
				// As a running nginx hands its listeners to the one that replaces it.
				Env:   []string{"NGINX=3;"},
				Files: []File{{"nginx.conf", nginxConfig(site, filepath.Join(dir, "static"))}},
			}, nil
		},
	}
}

func nginxConfig(site *Site, static string) string {
	s := site.Settings
	c := &conf{}
	c.line("daemon off;")
	c.line("worker_processes %s;", s["workers"])
	if os.Geteuid() == 0 {
		c.line("user root root;") // the files are this user's
	}
	c.line("error_log stderr warn;")
	c.line("pid %s;", filepath.Join(site.Folder, "nginx.pid"))
	c.line("events {\n\tworker_connections 4096;\n}")
	c.line("http {")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		c.line("\t%s_temp_path %s;", kind, filepath.Join(site.Folder, kind))
	}
	c.line("\taccess_log off;")
	c.line("\tsendfile on;")
	c.line("\ttcp_nopush on;")
	c.line("\tkeepalive_timeout %s;", seconds(s["keepalive"]))
	c.line("\tkeepalive_requests 1000000;")
	c.line("\ttypes {\n\t\t\"text/html; charset=utf-8\" html;\n\t\t\"text/css; charset=utf-8\" css;\n\t\timage/svg+xml svg;\n\t}")
	c.line("\tdefault_type \"text/plain; charset=utf-8\";")
	c.line("\tserver {")
	listen := site.Address
	if site.Network == "unix" {
		listen = "unix:" + listen
	}
	c.line("\t\tlisten %s backlog=%s;", listen, s["backlog"])
	c.line("\t\troot %s;", filepath.Dir(static))
	c.line("\t\tlocation = / {\n\t\t\ttry_files /static/index.txt =404;\n\t\t}")
	c.line("\t\tlocation = /hello {\n\t\t\treturn 200 \"hello\\n\";\n\t\t}")
	c.line("\t\tlocation = /static/ {\n\t\t\ttry_files /static/index.html =404;\n\t\t}")
	c.line("\t\tlocation = /static/index.txt {\n\t\t\treturn 404 \"404 not found: / lists the routes\\n\";\n\t\t}")
	c.line("\t\tlocation /static/ {\n\t\t\ttry_files $uri @nothing;\n\t\t}")
	c.line("\t\tlocation / {\n\t\t\treturn 404 \"404 not found: / lists the routes\\n\";\n\t\t}")
	c.line("\t\tlocation @nothing {\n\t\t\treturn 404 \"404 not found: / lists the routes\\n\";\n\t\t}")
	c.line("\t}\n}")
	return c.String()
}

// Lighttpd is lighttpd with a CGI program or with FastCGI responders that it
// starts itself.
func Lighttpd() *Program {
	return &Program{
		Stop:     "SIGINT",
		Activate: true,
		Needs: func(s Settings) []Need {
			needs := []Need{{Executable, "lighttpd"}}
			if s["mod"] == "fastcgi" {
				return append(needs, Need{PerlModule, "FCGI"})
			}
			return append(needs, cgiApps[s["app"]].needs...)
		},
		Setup: func(site *Site) (*Setup, error) {
			path, err := executable("lighttpd")
			if err != nil {
				return nil, err
			}
			config, err := lighttpdConfig(site)
			if err != nil {
				return nil, err
			}
			return &Setup{
				Env:   unset(),
				Argv:  []string{path, "-D", "-f", filepath.Join(site.Folder, "lighttpd.conf")},
				Files: []File{{"lighttpd.conf", config}},
			}, nil
		},
	}
}

func lighttpdConfig(site *Site) (string, error) {
	s := site.Settings
	c := &conf{}
	modules := map[string]string{"cgi": `"mod_alias", "mod_setenv", "mod_cgi"`, "fastcgi": `"mod_fastcgi"`}[s["mod"]]
	c.line("server.modules = ( %s )", modules)
	c.line("server.systemd-socket-activation = \"enable\"")
	if site.Network == "unix" {
		c.line("server.bind = %q", site.Address)
	} else {
		host, port, err := net.SplitHostPort(site.Address)
		if err != nil {
			return "", err
		}
		c.line("server.bind = %q", host)
		c.line("server.port = %s", port)
	}
	c.line("server.listen-backlog = %s", s["backlog"])
	c.line("server.document-root = %q", site.Folder)
	c.line("server.upload-dirs = ( %q )", site.Folder)
	c.line("server.max-fds = 4096")
	c.line("server.max-keep-alive-requests = 1000000")
	c.line("server.max-keep-alive-idle = %s", seconds(s["keepalive"]))
	c.line("server.max-read-idle = %s", seconds(s["timeout"]))
	c.line("server.feature-flags = ( \"server.graceful-shutdown-timeout\" => 30 )")
	// As a whole is what a CGI program is owed (RFC 3875 section 4.2); an answer
	// goes out as it comes.
	c.line("server.stream-request-body = 0")
	c.line("server.stream-response-body = 1")
	if s["mod"] == "cgi" {
		program, err := site.cgiProgram(s["app"])
		if err != nil {
			return "", err
		}
		c.line("alias.url = ( \"/\" => %q )", program+"/")
		c.line("cgi.assign = ( \"\" => \"\" )")
		var set []string
		for _, v := range passed() {
			set = append(set, fmt.Sprintf("%q => env.%s", v, v))
		}
		c.line("setenv.set-environment = ( %s )", strings.Join(set, ", "))
		return c.String(), nil
	}
	dir, err := Apps("")
	if err != nil {
		return "", err
	}
	c.line("fastcgi.server = ( \"/\" => ((")
	c.line("\t\"bin-path\" => %q,", filepath.Join(dir, "perl", "labapp.pl"))
	c.line("\t\"socket\" => %q,", filepath.Join(site.Folder, "fcgi"))
	c.line("\t\"min-procs\" => %s,\n\t\"max-procs\" => %s,", s["workers"], s["workers"])
	c.line("\t\"listen-backlog\" => %s,", s["backlog"])
	c.line("\t\"bin-copy-environment\" => ( \"PATH\", \"%s\" ),", strings.Join(passed(), `", "`))
	c.line("\t\"check-local\" => \"disable\",")
	c.line("\t\"fix-root-scriptname\" => \"enable\"")
	c.line(")) )")
	return c.String(), nil
}

// Fcgiwrap is fcgiwrap, a FastCGI responder that starts a CGI program for each
// request; a gateway has to stand before it, and to name the program. One of its
// processes that accept() tells to come again ends; and if it ends before the
// first process has counted it (fcgiwrap 1.1.0, prefork), it is never replaced:
// until nobody is left to serve.
func Fcgiwrap() *Program {
	return &Program{
		Stop:     "SIGTERM",
		Stdin:    true,
		Blocking: true,
		Forgets:  func(Settings) bool { return true },
		Needs: func(s Settings) []Need {
			return append([]Need{{Executable, "fcgiwrap"}}, cgiApps[s["app"]].needs...)
		},
		Setup: func(site *Site) (*Setup, error) {
			path, err := executable("fcgiwrap")
			if err != nil {
				return nil, err
			}
			program, err := site.cgiProgram(site.Settings["app"])
			if err != nil {
				return nil, err
			}
			return &Setup{Argv: []string{path, "-f", "-c", site.Settings["workers"], "-p", program}}, nil
		},
	}
}

// Script is the program that a gateway has to name, as SCRIPT_FILENAME, to a
// responder that runs many; "" if it runs but one.
func Script(settings Settings, labApp string) (string, error) {
	site := &Site{Settings: settings, LabApp: labApp}
	return site.cgiProgram(settings["app"])
}
