//go:build linux

package servers_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers"
)

// asking starts a model that has a database.
func asking(t *testing.T, spec, settings string) *servers.Instance {
	t.Helper()
	p, err := database()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	dsn, pool, _ := strings.Cut(settings, " ")
	given := []servers.Setting{{Key: "dsn", Value: dsn}}
	if pool != "" {
		given = append(given, servers.Setting{Key: "pool", Value: pool})
	}
	b, err := servers.NewBacking(servers.DatabaseService, given)
	if err != nil {
		t.Fatal(err)
	}
	orSkip(t, c.AvailableFor([]servers.Backing{b}))
	inst, err := servers.Start(t.Context(), c, servers.Launch{Programs: p, Services: []servers.Backing{b}})
	if err != nil {
		t.Fatal(err)
	}
	return stopped(t, spec, inst)
}

// Updates are kept, whatever opens the database how often and as which user, and
// the next server finds it as if nobody had used it.
func TestUpdatesAreKept(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"cgi", "prefork", "gunicorn:class=gevent,workers=1", "apache:mod=cgid,app=go"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				inst := asking(t, spec, "sqlite")
				for range 2 {
					if got := bodyOf(t, inst, "/db?op=update&key=7"); got != "updated 7\n" {
						t.Error(got)
					}
				}
				if got := bodyOf(t, inst, "/db?key=7"); !strings.HasSuffix(got, "updates 2\n") {
					t.Errorf("after two updates: %q", got)
				}
			}
		})
	}
}

// Models give the same answers from PostgreSQL, by way of each driver, one after the other.
func TestModelsAskPostgreSQL(t *testing.T) {
	t.Parallel()
	url := postgres(t)
	for _, spec := range []string{
		"cgi", "prefork", "threads", "eventloop", "async",
		"gunicorn:workers=1", "gunicorn:class=gevent,workers=1", "gunicorn:class=eventlet,workers=1", "uvicorn", "tornado", "apache:mod=cgid,app=python",
	} {
		t.Run(spec, func(t *testing.T) { verify(t, asking(t, spec, url)) })
	}
	t.Run("too many connections", func(t *testing.T) {
		inst := asking(t, "async", url+" 100")
		var mu sync.Mutex
		seen := map[string]int{}
		var all sync.WaitGroup
		for range 80 {
			all.Go(func() {
				got := bodyOf(t, inst, "/db?op=slow&ms=500")
				mu.Lock()
				seen[got]++
				mu.Unlock()
			})
		}
		all.Wait()
		if seen["503 service unavailable: the database is busy\n"] == 0 || seen["waited 500 ms\nread 0 rows\nsum 0\n"] == 0 || len(seen) != 2 {
			t.Errorf("of 40 connections 80 wanted one each: %v", seen)
		}
	})
}

// What answers and what asks it is named by its version.
func TestDatabaseVersions(t *testing.T) {
	t.Parallel()
	p, err := database()
	if err != nil {
		t.Fatal(err)
	}
	backing := func(dsn string) []servers.Backing {
		b, err := servers.NewBacking(servers.DatabaseService, []servers.Setting{{Key: "dsn", Value: dsn}})
		if err != nil {
			t.Fatal(err)
		}
		return []servers.Backing{b}
	}
	of := func(dsn, spec string) map[string]string {
		c, err := servers.Resolve(spec)
		if err != nil {
			t.Fatal(err)
		}
		orSkip(t, c.AvailableFor(backing(dsn)))
		versions := p.DatabaseVersions(t.Context(), backing(dsn))
		maps.Copy(versions, c.DriverVersions(backing(dsn)))
		return versions
	}
	lib, pgx := []string{"SQLite", "modernc.org/sqlite", "zombiezen.com/go/sqlite"}, []string{"PostgreSQL", "github.com/jackc/pgx/v5"}
	url := postgres(t)
	for _, tc := range []struct {
		dsn, spec string
		asked     []string
		with      []string
	}{
		{"sqlite", "prefork", lib, nil},
		{"sqlite", "gunicorn", lib, []string{"SQLite of Python"}},
		{"sqlite", "apache:app=python", lib, []string{"SQLite of Python"}},
		{"sqlite", "uvicorn", lib, []string{"SQLite of Python", "aiosqlite"}},
		{url, "async", pgx, nil},
		{url, "apache:mod=wsgi", pgx, []string{"psycopg2"}},
		{url, "tornado", pgx, []string{"asyncpg"}},
	} {
		got, want := of(tc.dsn, tc.spec), slices.Concat(tc.asked, tc.with)
		slices.Sort(want)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
			t.Errorf("%s of %s: %v, want versions of %v", tc.dsn, tc.spec, got, want)
		}
		for name, version := range got {
			if !regexp.MustCompile(`^v?\d+\.\d`).MatchString(version) {
				t.Errorf("%s has the version %q", name, version)
			}
		}
	}
}

// No process has more connections than its pool, whoever says how large it is.
func TestPoolIsHonoured(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"async", "threads:workers=1,threads=8", "eventloop", "gunicorn:class=gthread,workers=1,threads=8", "uvicorn",
	} {
		for name, instance := range map[string]func(*testing.T) *servers.Instance{
			"of the service": func(t *testing.T) *servers.Instance { return asking(t, spec, "sqlite 2") },
			"of the model": func(t *testing.T) *servers.Instance {
				return asking(t, spec+map[bool]string{true: ",", false: ":"}[strings.Contains(spec, ":")]+"db_pool=2", "sqlite 8")
			},
		} {
			t.Run(spec+" "+name, func(t *testing.T) {
				t.Parallel()
				inst := instance(t)
				const each = 100 * time.Millisecond
				var all sync.WaitGroup
				begun := time.Now()
				for range 6 {
					all.Go(func() {
						if got := bodyOf(t, inst, fmt.Sprintf("/db?op=slow&ms=%d", each.Milliseconds())); !strings.HasPrefix(got, "waited") {
							t.Error(got)
						}
					})
				}
				all.Wait()
				if took := time.Since(begun); took < 3*each {
					t.Errorf("6 queries of %v took %v with 2 connections", each, took)
				}
			})
		}
	}
}

func verify(t *testing.T, inst *servers.Instance) {
	t.Helper()
	if err := inst.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// bodyOf returns the body of an answer.
func bodyOf(t *testing.T, inst *servers.Instance, target string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(inst.URL() + target)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
