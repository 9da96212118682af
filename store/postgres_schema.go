package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// schemaLock is the number of the advisory lock that whoever changes the
// schema holds: "lectern" in ASCII, which nobody else is likely to choose.
const schemaLock int64 = 0x6c_65_63_74_65_72_6e

// Migrate brings the schema up to this program's. One that is newer is left
// alone: programs before it go on working. Behind PgBouncer the time limits
// of the role hold for what it does; a change that takes longer takes a
// direct address.
func (p *Postgres) Migrate(ctx context.Context) error {
	return p.schema(ctx, func(provider *goose.Provider) error { return migrateUp(ctx, provider, p.log) })
}

// Pending returns the names of the migrations that Migrate would carry out. It
// changes nothing in a database that is not Lectern's yet.
func (p *Postgres) Pending(ctx context.Context) (pending []string, err error) {
	var migrated bool
	if err := p.pool.QueryRow(ctx, selectMigrated).Scan(&migrated); err != nil {
		return nil, fmt.Errorf("look at the schema of the database %s: %w", p.name(), err)
	}
	if !migrated {
		provider, err := newProvider(goose.DialectPostgres, p.db)
		if err != nil {
			return nil, err
		}
		return all(provider), nil
	}
	err = p.schema(ctx, func(provider *goose.Provider) (err error) {
		pending, err = pendingIn(ctx, provider)
		return err
	})
	return pending, err
}

// schema calls f on connections of their own, without this program's time
// limits, while no other instance does. The lock is a transaction's, which
// PgBouncer leaves together.
func (p *Postgres) schema(ctx context.Context, f func(*goose.Provider) error) error {
	config := p.pool.Config().ConnConfig
	for limit := range limits {
		delete(config.RuntimeParams, limit)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if err := locked(ctx, db, f); err != nil {
		return fmt.Errorf("migrate the database %s: %w", config.Database, err)
	}
	return nil
}

func locked(ctx context.Context, db *sql.DB, f func(*goose.Provider) error) error {
	lock, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer lock.Rollback()
	for limit := range limits { // of the role
		if _, err := lock.ExecContext(ctx, `SELECT set_config($1, '0', true)`, limit); err != nil {
			return err
		}
	}
	if _, err := lock.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
		return err
	}
	provider, err := newProvider(goose.DialectPostgres, db)
	if err != nil {
		return err
	}
	return f(provider)
}
