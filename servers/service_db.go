package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/process"
)

// The environment variables in which the application finds its database, and
// how many connections to it each of its processes may have.
const (
	databaseVariable     = "GATEWAYLAB_DB"
	databasePoolVariable = "GATEWAYLAB_DB_POOL"
)

// inFile is the DSN of the database that comes with the lab.
const inFile = "sqlite"

// DatabaseService is the name of the database among the services.
const DatabaseService = "db"

// databaseService has no processes of the lab's: SQLite runs in those of the
// model, and PostgreSQL is somebody's who runs it already. Each model finds the
// table as if nobody had used it: in a copy of the file, or reset.
func databaseService() Service {
	return Service{
		Name:    DatabaseService,
		Doc:     "a database with a table of a million rows",
		Route:   "/db",
		Drivers: true,
		Options: []Option{
			{"dsn", inFile, "sqlite, a file in memory for each server; or the URL of a database of PostgreSQL's, postgres://…, that gets a table gatewaylab.item", checkDSN},
			{"pool", fmt.Sprint(app.DatabasePool), "connections that each process may have, where the model doesn't say db_pool", whole(1, maxPool)},
		},
		Hide: func(key, value string) string {
			if u, err := url.Parse(value); key == "dsn" && err == nil {
				return u.Redacted()
			}
			return value
		},
		App:  func() *app.App { return app.NewWith(shelf{}) },
		Open: openDatabase,
	}
}

const maxPool = 1024

// PoolOption is the option that every model has: how many connections to the
// database each of its processes may have.
func PoolOption() Option {
	return Option{"db_pool", "", "connections to the database of /db that each process may have; the default is the database's pool", whole(1, maxPool)}
}

func checkDSN(v string) error {
	if v == inFile {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("expected sqlite, or the URL of a database of PostgreSQL's, such as postgres://user@host/name")
	}
	return nil
}

// InFile says whether the database is SQLite's, which has one lock for all who
// write.
func (b Backing) InFile() bool { return b.Service == DatabaseService && b.Settings["dsn"] == inFile }

// Foreign says whether the service is a server's that the lab didn't start, such
// as PostgreSQL.
func (b Backing) Foreign() bool { return b.Service == DatabaseService && !b.InFile() }

// Pool is how many connections each process may have; 0 if it is no database.
func (b Backing) Pool() int {
	if b.Service != DatabaseService {
		return 0
	}
	return b.Settings.Int("pool")
}

// shelf is the table as the lab knows it without a driver, with as many updates
// as were asked for.
type shelf map[int]int

func (s shelf) Select(key int) (name string, number, updates int, err error) {
	return app.ItemName(key), app.ItemNumber(key), s[key], nil
}

func (s shelf) Update(key int, _ time.Duration) error { s[key]++; return nil }

func (s shelf) Slow(_ time.Duration, rows int) (sum int, err error) {
	for k := 1; k <= rows; k++ {
		sum += app.ItemNumber(k)
	}
	return sum, nil
}

// openDatabase makes a database ready for one instance of a model, and says
// where it is.
func openDatabase(ctx context.Context, s Settings, l *Launch, foreign bool) (environ []string, remove func() error, err error) {
	environ = []string{databasePoolVariable + "=" + s["pool"]}
	dsn := s["dsn"]
	if dsn != inFile {
		// The table is loaded by whoever finds it missing, and reset for all.
		_, err = l.Programs.tendDatabase(ctx, []string{databaseVariable + "=" + dsn}, "ready")
		return append(environ, databaseVariable+"="+dsn), nil, err
	}
	file, remove, err := copyTable(l.Programs.table, foreign)
	return append(environ, databaseVariable+"="+file), remove, err
}

// tendDatabase has the program that has the drivers do something, and returns
// what it says to that.
func (p *Programs) tendDatabase(ctx context.Context, environ []string, words ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.Server, append([]string{"database"}, words...)...)
	cmd.Env = append(os.Environ(), environ...)
	var answer, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &answer, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return answer.String(), nil
}

// copyTable copies the file with the table into a folder of its own: in memory,
// where there is room, since writing it back to a disk would go on while the
// next trial runs. Foreign is set if another user is to write to it.
func copyTable(table string, foreign bool) (file string, remove func() error, err error) {
	st, err := os.Stat(table)
	if err != nil {
		return "", nil, fmt.Errorf("find the table: %w", err)
	}
	// Its log may grow as large again before it is written into it.
	dir := process.MemoryFolder(4 * st.Size())
	if dir == "" {
		dir = os.TempDir()
	}
	process.RemoveAbandoned(filepath.Join(dir, databasePattern))
	folder, err := os.MkdirTemp(dir, databasePattern)
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for the database: %w", err)
	}
	owner, err := process.ClaimFolder(folder)
	remove = func() error {
		if owner == nil {
			return os.RemoveAll(folder)
		}
		return errors.Join(os.RemoveAll(folder), closeOnce(owner))
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("claim the folder of the database: %w", err), remove())
	}
	file = filepath.Join(folder, "items.sqlite")
	if err := copyFile(table, file); err != nil {
		return "", nil, errors.Join(fmt.Errorf("copy the table: %w", err), remove())
	}
	if foreign { // the log and its index are made beside it, with its permissions
		err = errors.Join(os.Chmod(folder, 0o777), os.Chmod(file, 0o666)) //nolint:gosec // it has to
	}
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return file, remove, nil
}

// databasePattern matches the folders of databases.
const databasePattern = "lab-db-*"

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
