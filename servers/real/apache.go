package real

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// apacheModules is the folder of Apache's modules.
func apacheModules() (string, error) {
	for _, dir := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/opt/homebrew/opt/httpd/lib/httpd/modules", "/usr/local/opt/httpd/lib/httpd/modules"} {
		if exists(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("Apache's modules: %w", os.ErrNotExist)
}

// Apache is Apache with one of its ways to run an application. It has no way to
// take over a socket but systemd's, which Debian leaves out, so it binds the
// address itself.
func Apache() *Program {
	return &Program{
		Stop:         "SIGWINCH",
		Binds:        true,
		Unprivileged: true,
		Forgets:      func(s Settings) bool { return s["mod"] == "cgid" },
		Needs: func(s Settings) []Need {
			needs := []Need{{Executable, "apache2"}, {ApacheModule, s["mod"]}}
			switch s["mod"] {
			case "cgid":
				needs = append(needs, cgiApps[s["app"]].needs...)
			case "fcgid":
				needs = append(needs, Need{PerlModule, "FCGI"})
			case "wsgi": // brings its interpreter along, Debian's
				needs = append(needs, python(framework(s["app"]))...)
			}
			return needs
		},
		Setup: func(site *Site) (*Setup, error) {
			path, err := executable("apache2")
			if err != nil {
				return nil, err
			}
			config, err := apacheConfig(site)
			if err != nil {
				return nil, err
			}
			return &Setup{
				Env:   unset(),
				Argv:  []string{path, "-D", "FOREGROUND", "-d", site.Folder, "-f", filepath.Join(site.Folder, "apache.conf")},
				Files: []File{{"apache.conf", config}},
			}, nil
		},
	}
}

func apacheConfig(site *Site) (string, error) {
	modules, err := apacheModules()
	if err != nil {
		return "", err
	}
	c := &conf{}
	load := func(names ...string) {
		for _, n := range names {
			if path := filepath.Join(modules, "mod_"+n+".so"); exists(path) { // some builds have it inside
				c.line("LoadModule %s_module %q", n, path)
			}
		}
	}
	s := site.Settings
	c.line("ServerRoot %q", site.Folder)
	c.line("DefaultRuntimeDir %q", site.Folder)
	c.line("PidFile apache.pid")
	c.line("Mutex file:%s default", site.Folder)
	c.line("ServerName lab.test")
	c.line("Listen %s", site.Address)
	c.line("ListenBacklog %s", s["backlog"])
	c.line("ErrorLog /dev/stderr")
	c.line("LogLevel warn")
	c.line("Timeout %s", seconds(s["timeout"]))
	c.line("GracefulShutdownTimeout 30")
	c.line("KeepAlive On")
	c.line("MaxKeepAliveRequests 0")
	c.line("KeepAliveTimeout %s", seconds(s["keepalive"]))
	load("authz_core", "alias", "env")
	if s["mod"] == "perl" {
		apachePrefork(c, load, s["workers"])
	} else {
		apacheEvent(c, load, s.Int("connections"))
	}
	c.line("<Directory />\n\tRequire all granted\n</Directory>")
	if err := apacheApp(c, load, site); err != nil {
		return "", err
	}
	return c.String(), nil
}

// conf is a configuration in lines.
type conf struct{ strings.Builder }

func (c *conf) line(format string, args ...any) { fmt.Fprintf(&c.Builder, format+"\n", args...) }

func apachePrefork(c *conf, load func(...string), workers string) {
	load("mpm_prefork")
	for _, key := range []string{"ServerLimit", "StartServers", "MinSpareServers", "MaxSpareServers", "MaxRequestWorkers"} {
		c.line("%s %s", key, workers)
	}
}

// apacheEvent has all its processes at once, as the other servers have.
func apacheEvent(c *conf, load func(...string), connections int) {
	const perProcess = 64
	processes := (connections + perProcess - 1) / perProcess
	threads := (connections + processes - 1) / processes
	load("mpm_event")
	c.line("ThreadLimit %d", threads)
	c.line("ThreadsPerChild %d", threads)
	c.line("ServerLimit %d", processes)
	c.line("StartServers %d", processes)
	c.line("MaxRequestWorkers %d", threads*processes)
	c.line("MinSpareThreads %d", threads)
	c.line("MaxSpareThreads %d", threads*processes)
}

// apacheApp configures one way to run the application.
func apacheApp(c *conf, load func(...string), site *Site) error {
	dir, err := Apps("")
	if err != nil {
		return err
	}
	switch mod := site.Settings["mod"]; mod {
	case "cgid":
		return apacheCGI(c, load, site)
	case "perl":
		apachePerl(c, load, dir)
	case "wsgi":
		apacheWSGI(c, load, site, dir)
	case "fcgid":
		apacheFastCGI(c, load, site, dir)
	default:
		return errors.New("apache has no mod " + mod)
	}
	return nil
}

func apacheCGI(c *conf, load func(...string), site *Site) error {
	program, err := site.cgiProgram(site.Settings["app"])
	if err != nil {
		return err
	}
	load("cgid")
	c.line("ScriptSock %q", filepath.Join(site.Folder, "cgid.sock"))
	c.line("ScriptAlias / %q", program+"/")
	c.line("PassEnv %s", strings.Join(passed(), " "))
	return nil
}

func apachePerl(c *conf, load func(...string), dir string) {
	load("perl")
	c.line("PerlSwitches -I%s", filepath.Join(dir, "perl"))
	for _, v := range passed() {
		c.line("PerlPassEnv %s", v)
	}
	c.line("PerlModule LabModPerl")
	c.line("<Location />\n\tSetHandler modperl\n\tPerlResponseHandler LabModPerl\n</Location>")
}

func apacheWSGI(c *conf, load func(...string), site *Site, dir string) {
	s := site.Settings
	modules := filepath.Join(dir, "python")
	load("wsgi")
	c.line("WSGISocketPrefix %q", filepath.Join(site.Folder, "wsgi"))
	c.line("WSGIDaemonProcess lab processes=%s threads=%s home=%q python-path=%q listen-backlog=%s request-timeout=%s",
		s["workers"], s["threads"], site.Folder, modules, strconv.Itoa(min(s.Int("backlog"), 1024)), seconds(s["timeout"]))
	c.line("WSGIProcessGroup lab")
	c.line("WSGIApplicationGroup %%{GLOBAL}")
	c.line("WSGIScriptAlias / %q", filepath.Join(modules, wsgiApps[s["app"]]+".py"))
	c.line("WSGIChunkedRequest On")
}

func apacheFastCGI(c *conf, load func(...string), site *Site, dir string) {
	s := site.Settings
	load("fcgid")
	c.line("FcgidIPCDir %q", site.Folder)
	c.line("FcgidProcessTableFile %q", filepath.Join(site.Folder, "fcgid.shm"))
	c.line("FcgidMaxProcesses %s", s["workers"])
	c.line("FcgidMaxProcessesPerClass %s", s["workers"])
	c.line("FcgidMinProcessesPerClass %s", s["workers"])
	c.line("FcgidSpawnScoreUpLimit 2147483647") // all that there may be as soon as they are wanted
	c.line("FcgidIOTimeout %s", seconds(s["timeout"]))
	c.line("FcgidBusyTimeout %s", seconds(s["timeout"]))
	c.line("FcgidMaxRequestLen 1073741824")
	for _, v := range passed() {
		c.line("FcgidInitialEnv %s \"${%s}\"", v, v)
	}
	c.line("ScriptAlias / %q", filepath.Join(dir, "perl", "labapp.pl")+"/")
	c.line("<Location />\n\tSetHandler fcgid-script\n\tOptions +ExecCGI\n</Location>")
}
