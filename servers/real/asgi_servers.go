package real

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// poolVariable has the Python applications hand what blocks or computes to so
// many threads.
const poolVariable = "GATEWAYLAB_POOL"

// Uvicorn is uvicorn with the event loop and the HTTP parser that are asked for.
func Uvicorn() *Program {
	needs := func(s Settings) []Need {
		loop := s["loop"]
		if loop == "asyncio" {
			loop = ""
		}
		return python("uvicorn", "websockets", loop, s["http"], framework(s["app"]))
	}
	return &Program{
		Stop:  "SIGTERM",
		Needs: needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			setup, err := pythonSetup(needs(s), "-m", "uvicorn", "--fd", "3", "--workers", s["workers"],
				"--loop", s["loop"], "--http", s["http"], "--ws", "websockets", "--ws-max-size", "1048576",
				"--backlog", s["backlog"], "--timeout-keep-alive", seconds(s["keepalive"]),
				"--no-access-log", "--log-level", "warning", asgiApps[s["app"]]+":application")
			return pooled(setup, s), err
		},
	}
}

// pooled tells the application of the pool.
func pooled(setup *Setup, s Settings) *Setup {
	if setup != nil && s["pool"] != "0" {
		setup.Env = append(setup.Env, poolVariable+"="+s["pool"])
	}
	return setup
}

// Hypercorn is Hypercorn.
func Hypercorn() *Program {
	needs := func(s Settings) []Need {
		loop := s["loop"]
		if loop == "asyncio" {
			loop = ""
		}
		return python("hypercorn", loop, framework(s["app"]))
	}
	return &Program{
		Stop:  "SIGTERM",
		Needs: needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			setup, err := pythonSetup(needs(s), "-m", "hypercorn", "--config", filepath.Join(site.Folder, "hypercorn.toml"), asgiApps[s["app"]]+":application")
			if err != nil {
				return nil, err
			}
			var b strings.Builder
			set := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
			set("bind", `["fd://3"]`)
			set("backlog", s["backlog"])
			set("workers", s["workers"])
			set("worker_class", strconv.Quote(s["loop"]))
			set("keep_alive_timeout", seconds(s["keepalive"]))
			set("keep_alive_max_requests", "1000000000") // there since 0.16, with 1,000 where it isn't said
			set("graceful_timeout", seconds(s["graceful_timeout"]))
			set("websocket_max_message_size", "1048576")
			set("errorlog", `"-"`)
			set("loglevel", `"WARNING"`)
			setup.Files = []File{{"hypercorn.toml", b.String()}}
			return pooled(setup, s), nil
		},
	}
}

// Daphne is Daphne. It is one process by nature.
func Daphne() *Program {
	needs := func(s Settings) []Need { return python("daphne", framework(s["app"])) }
	return &Program{
		Stop:     "SIGTERM",
		Activate: true,
		Needs:    needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			// Its own --fd takes every socket for one of IPv4.
			endpoint := "systemd:domain=INET:index=0"
			switch {
			case site.Network == "unix":
				endpoint = "systemd:domain=UNIX:index=0"
			case strings.HasPrefix(site.Address, "["):
				endpoint = "systemd:domain=INET6:index=0"
			}
			setup, err := pythonSetup(needs(s), "-m", "daphne", "--endpoint", endpoint, "--verbosity", "0", asgiApps[s["app"]]+":application")
			return pooled(setup, s), err
		},
	}
}

// Tornado is Tornado's own HTTP server with as many processes as are asked for.
func Tornado() *Program {
	needs := func(Settings) []Need { return python("tornado") }
	return &Program{
		Stop:  "SIGTERM",
		Needs: needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			setup, err := pythonSetup(needs(s), "-m", "tornado_app", s["workers"], s["backlog"])
			return pooled(setup, s), err
		},
	}
}
