package database

import (
	"context"
	"errors"
	"runtime/debug"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The modules by which this program reaches its databases: the driver, and for
// SQLite the library turned into Go under it.
const (
	pgxModule    = "github.com/jackc/pgx/v5"
	sqliteModule = "zombiezen.com/go/sqlite"
	libModule    = "modernc.org/sqlite"
)

// Versions are those of what answers at dsn and of the drivers that ask it, by
// name: of PostgreSQL's server if it is one of its URLs, else of SQLite.
func Versions(dsn string) (all [][2]string, err error) {
	if IsPostgres(dsn) {
		return postgresVersions(dsn)
	}
	c, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	version, err := sqlitex.ResultText(c.Prep("SELECT sqlite_version()"))
	return append(modules(sqliteModule, libModule), [2]string{"SQLite", version}), err
}

func postgresVersions(dsn string) ([][2]string, error) {
	c, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	version := c.PgConn().ParameterStatus("server_version")
	return append(modules(pgxModule), [2]string{"PostgreSQL", version}), c.Close(context.Background())
}

// modules are those of the modules that this program was built of.
func modules(paths ...string) (all [][2]string) {
	info, ok := debug.ReadBuildInfo()
	for _, path := range paths {
		version := ""
		for i := 0; ok && i < len(info.Deps); i++ {
			if m := info.Deps[i]; m.Path == path {
				version = m.Version
				if m.Replace != nil {
					version = m.Replace.Path + " " + m.Replace.Version
				}
			}
		}
		all = append(all, [2]string{path, version})
	}
	return all
}
