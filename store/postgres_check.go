package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

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
// cannot be written. The error names the setting and says what to do.
func (p *Postgres) Check(ctx context.Context) error {
	settings, err := p.settings(ctx)
	if err != nil {
		return fmt.Errorf("look at the settings of %s: %w", p.name(), err)
	}
	if version, err := strconv.Atoi(settings["server_version_num"]); err != nil || version < oldestPostgres {
		return fmt.Errorf("%s is of version %s: it takes PostgreSQL 13 or later", p.name(), settings["server_version_num"])
	}
	for _, d := range demands {
		if err := d.check(p.name(), settings[d.setting]); err != nil {
			return err
		}
	}
	p.advise(ctx, settings)
	return nil
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

func (d *demand) check(database, value string) error {
	for _, accepted := range d.accepted {
		if value == accepted {
			return nil
		}
	}
	return fmt.Errorf("%s has %s = %s: %s", database, d.setting, value, d.mend)
}

// advise warns of what weakens no promise by itself.
func (p *Postgres) advise(ctx context.Context, settings map[string]string) {
	if settings["full_page_writes"] != "on" {
		p.log.WarnContext(ctx, "full_page_writes is off: only a file system that never tears a page keeps the database whole through a loss of power", "database", p.name())
	}
	for limit, d := range limits {
		if settings[limit] == "0" {
			p.log.WarnContext(ctx, "the database's role has no limit of its own, and none can be set through PgBouncer: ALTER ROLE … SET it",
				"setting", limit, "value", d.String())
		}
	}
}

// name is how errors call the database: never by its password.
func (p *Postgres) name() string {
	c := p.pool.Config().ConnConfig
	return fmt.Sprintf("the database of LECTERN_POSTGRES_URL (%s on %s:%d)", c.Database, c.Host, c.Port)
}
