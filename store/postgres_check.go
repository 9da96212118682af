package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// A Finding is something about a server that is not as it should be, and what
// to do about it.
type Finding struct {
	What, Mend string
	Refused    bool // no instance starts on it; else no promise is weaker by that alone
}

// oldestPostgres is the first version that tells a transaction's number as
// the tables show it (pg_current_xact_id).
const oldestPostgres = 13_00_00

// A demand is what a setting of the database must be for the promises to
// hold.
type demand struct {
	setting  string
	accepted []string
	mend     string
}

// What else synchronous_commit may be waits at least until the server's own
// disk has the commit; what its standbys have is beyond the promise.
var demands = []demand{
	{"in_recovery", []string{"off"}, "name the primary: a standby cannot be written"},
	{"fsync", []string{"on"}, "set fsync = on in postgresql.conf and restart the server, or what it acknowledged is lost with its power"},
	{"synchronous_commit", []string{"on", "local", "remote_write", "remote_apply"},
		"set synchronous_commit = on, for the server or by ALTER DATABASE or ALTER ROLE, or what it acknowledged is lost with the server"},
	{"default_transaction_read_only", []string{"off"}, "name a database that can be written, and a role that may"},
	{"default_transaction_isolation", []string{"read committed"},
		"ALTER ROLE … SET default_transaction_isolation = 'read committed': with another one, rooms in which many join at once are refused"},
}

const selectSettings = `
	SELECT name, setting FROM pg_settings
	WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version_num', 'default_transaction_read_only',
		'default_transaction_isolation', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')
	UNION ALL SELECT 'in_recovery', CASE WHEN pg_is_in_recovery() THEN 'on' ELSE 'off' END`

// Check refuses a database that does not keep what it acknowledges, or that
// cannot be written. The error names each setting and says what to do.
func (p *Postgres) Check(ctx context.Context) error {
	found, err := p.Findings(ctx)
	if err != nil {
		return err
	}
	var refused []error
	for _, f := range found {
		if f.Refused {
			refused = append(refused, fmt.Errorf("%s has %s: %s", p.name(), f.What, f.Mend))
		} else {
			p.log.WarnContext(ctx, "the database is not set up as it should be", "found", f.What, "mend", f.Mend, "database", p.name())
		}
	}
	return errors.Join(refused...)
}

// Findings tells what of the database's settings is not as it should be.
func (p *Postgres) Findings(ctx context.Context) ([]Finding, error) {
	settings, err := p.settings(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the settings of %s: %w", p.name(), err)
	}
	if version, err := strconv.Atoi(settings["server_version_num"]); err != nil || version < oldestPostgres {
		return []Finding{{"version " + settings["server_version_num"], "take PostgreSQL 13 or later", true}}, nil
	}
	var found []Finding
	for _, d := range demands {
		if value := settings[d.setting]; !slices.Contains(d.accepted, value) {
			found = append(found, Finding{d.setting + " = " + value, d.mend, true})
		}
	}
	return append(found, advice(settings)...), nil
}

func (p *Postgres) settings(ctx context.Context) (map[string]string, error) {
	rows, err := p.pool.Query(ctx, selectSettings)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		settings[name] = value
		return nil
	})
	return settings, err
}

// advice is about what weakens no promise by itself.
func advice(settings map[string]string) (found []Finding) {
	if settings["full_page_writes"] != "on" {
		found = append(found, Finding{What: "full_page_writes = off",
			Mend: "only a file system that never tears a page keeps the database whole through a loss of power: set it to on unless yours is one"})
	}
	for _, limit := range slices.Sorted(maps.Keys(limits)) {
		if settings[limit] == "0" {
			found = append(found, Finding{What: limit + " = 0",
				Mend: fmt.Sprintf("the database's role has no such limit of its own, and none can be set through PgBouncer: ALTER ROLE … SET %s = '%s'", limit, limits[limit])})
		}
	}
	return found
}

// name is how errors call the database: never by its password.
func (p *Postgres) name() string {
	c := p.pool.Config().ConnConfig
	return fmt.Sprintf("the database of LECTERN_POSTGRES_URL (%s on %s:%d)", c.Database, c.Host, c.Port)
}
