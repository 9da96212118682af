package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/lectern-room/lectern/room"
)

// A PostgresState is what a database tells of itself to whoever has to look
// after it.
type PostgresState struct {
	Name      string // how errors call it
	Version   string
	Role      string
	RoundTrip time.Duration
	Ahead     time.Duration // the server's clock of this machine's, half a round trip more or less

	// Pooled tells whether someone between shares the server's connections,
	// and ByTransaction that none is one client's own for longer than that.
	Pooled, ByTransaction bool
	// Prepares tells whether statements are prepared on the connections, which
	// takes ones of this program's own.
	Prepares bool

	Connections int    // that the role may have in this database
	InUse       int    // of these, by whomever
	Standbys    string // synchronous_standby_names: commits wait for them

	Lacks     []string // migrations that are still to be carried out
	MayCreate bool     // tables, in the schema that names without one belong to
	Forbidden []string // tables in which the role may not read or write

	Instances []Living
}

// Living is an instance that is not known to be dead.
type Living struct {
	ID     room.InstanceID
	Silent time.Duration // since its last beat
}

const selectState = `
	SELECT current_setting('server_version'), current_user, current_setting('synchronous_standby_names'),
		coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), ` + databaseNow + `,
		least(
			current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
				- coalesce(current_setting('reserved_connections', true)::bigint, 0),
			(SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
			(SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())),
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`

// State looks at the database, and changes nothing there. Where it fails, what
// it has found so far is in the state.
func (p *Postgres) State(ctx context.Context) (state PostgresState, err error) {
	state.Name, state.Prepares = p.name(), ownSession(p.pool.Config().ConnConfig)
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return state, err
	}
	defer conn.Release()
	for range looks { // the first time a statement is prepared, or described
		began, now := time.Now(), int64(0)
		err := conn.QueryRow(ctx, selectState).Scan(&state.Version, &state.Role, &state.Standbys, &state.MayCreate, &now, &state.Connections, &state.InUse)
		if err != nil {
			return state, fmt.Errorf("ask for the state: %w", err)
		}
		if took := time.Since(began); state.RoundTrip == 0 || took < state.RoundTrip {
			state.RoundTrip = took
			state.Ahead = time.UnixMilli(now).Sub(began.Add(took / 2))
		}
	}
	if err := p.pooling(ctx, conn, &state); err != nil {
		return state, fmt.Errorf("ask whose connections these are: %w", err)
	}
	if err := p.schemaState(ctx, conn, &state); err != nil {
		return state, fmt.Errorf("look at the schema: %w", err)
	}
	return state, nil
}

const selectBackend = `SELECT pg_backend_pid()`

// pooling finds out who is at the other end: PgBouncer makes up the number of
// a process, and one that shares by the transaction gives a second connection
// the process that the first had just now.
func (p *Postgres) pooling(ctx context.Context, first *pgxpool.Conn, state *PostgresState) error {
	second, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer second.Release()
	var one, other uint32
	if err := first.QueryRow(ctx, selectBackend).Scan(&one); err != nil {
		return err
	}
	if err := second.QueryRow(ctx, selectBackend).Scan(&other); err != nil {
		return err
	}
	state.Pooled = one != first.Conn().PgConn().PID()
	state.ByTransaction = one == other
	return nil
}

const (
	// selectMigrated asks for the table of what was migrated.
	selectMigrated = `SELECT to_regclass('goose_db_version') IS NOT NULL`
	// selectForbidden takes what all statements of this program do together.
	selectForbidden = `
		SELECT relname::text FROM pg_class
		WHERE oid = ANY(ARRAY(SELECT to_regclass(name)::oid
				FROM unnest('{goose_db_version,room,claim,room_log,attendee,session,correction,instance}'::text[]) AS name))
			AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
				AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
		ORDER BY relname`
	selectLiving = `
		SELECT id, ` + databaseNow + ` - beat_at FROM instance WHERE dead_at IS NULL ORDER BY id`
)

func (p *Postgres) schemaState(ctx context.Context, conn *pgxpool.Conn, state *PostgresState) error {
	provider, err := newProvider(goose.DialectPostgres, p.db)
	if err != nil {
		return err
	}
	var migrated bool
	if err := conn.QueryRow(ctx, selectMigrated).Scan(&migrated); err != nil {
		return err
	}
	if !migrated {
		state.Lacks = all(provider)
		return nil
	}
	rows, err := conn.Query(ctx, selectForbidden)
	if err != nil {
		return err
	}
	if state.Forbidden, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(state.Forbidden) > 0 {
		return err
	}
	if state.Lacks, err = pendingIn(ctx, provider); err != nil || len(state.Lacks) > 0 {
		return err
	}
	if rows, err = conn.Query(ctx, selectLiving); err != nil {
		return err
	}
	state.Instances, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Living, error) {
		var one Living
		var silent int64
		err := row.Scan(&one.ID, &silent)
		one.Silent = time.Duration(silent) * time.Millisecond
		return one, err
	})
	return err
}
