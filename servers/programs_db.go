package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// tableFile is the name of the file with the database's table in the user's
// cache. It changes with what package database makes.
const tableFile = "items-1.sqlite"

// WithDatabase returns the programs with, in Database, those that have drivers
// of databases: labserver-db and labapp-db, found beside the lab or built into
// the user's cache, as FindPrograms does. The first time it makes the file with
// the table, too, which takes some seconds.
func (p Programs) WithDatabase(ctx context.Context, progress io.Writer) (Programs, error) {
	db := programsIn(filepath.Dir(p.Server), withDrivers)
	if !db.exist() {
		var err error
		if db, err = buildPrograms(ctx, withDrivers, progress); err != nil {
			return p, fmt.Errorf("labserver-db and labapp-db, which have drivers of databases, are neither beside %s nor could they be built: %w\n"+
				"put both there: in the source folder, go build -tags database -o FOLDER/labserver-db ./cmd/labserver, and labapp-db likewise", p.Server, err)
		}
	}
	cache := cacheFolder()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return p, fmt.Errorf("make a folder for the database: %w", err)
	}
	db.table = filepath.Join(cache, tableFile)
	unlock, err := lockedfile.MutexAt(db.table + ".lock").Lock()
	if err != nil {
		return p, fmt.Errorf("lock the database: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(db.table); err != nil {
		fmt.Fprintln(progress, "making a database of a million rows (the first time only) …")
		if _, err := db.tendDatabase(ctx, nil, "make", db.table); err != nil {
			return p, err
		}
	}
	p.Database = &db
	return p, nil
}

// DatabaseVersions are those of the databases that the services are, and of the
// drivers in the lab's own programs: "unknown" of a database that isn't there.
func (p Programs) DatabaseVersions(ctx context.Context, services []Backing) map[string]string {
	versions := map[string]string{}
	for _, b := range services {
		if b.Service == DatabaseService && p.Database != nil {
			maps.Copy(versions, p.Database.askVersions(ctx, b.Settings["dsn"]))
		}
	}
	return versions
}

func (p *Programs) askVersions(ctx context.Context, dsn string) map[string]string {
	said, err := p.tendDatabase(ctx, []string{databaseVariable + "=" + dsn}, "versions")
	if err != nil && dsn == inFile {
		return map[string]string{"SQLite": unknownVersion}
	}
	if err != nil {
		return map[string]string{"PostgreSQL": unknownVersion}
	}
	versions := map[string]string{}
	for line := range strings.Lines(said) {
		name, version, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		versions[name] = cmp.Or(version, unknownVersion)
	}
	return versions
}

// with are the programs that a server with the services is made of.
func (p Programs) with(services []Backing) (Programs, error) {
	for _, b := range services {
		row, err := LookupService(b.Service)
		if err != nil {
			return p, err
		}
		if !row.Drivers {
			continue
		}
		if p.Database == nil {
			return p, errors.New("it asks a database, and programs with drivers were not looked for")
		}
		return *p.Database, nil
	}
	return p, nil
}

// NeedDrivers says whether a server with the services needs programs with
// drivers of databases.
func NeedDrivers(services []Backing) bool {
	_, err := (Programs{}).with(services)
	return err != nil
}
