package store

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

func newProvider(dialect goose.Dialect, db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, folder, goose.WithDisableGlobalRegistry(true))
}

func migrateUp(ctx context.Context, p *goose.Provider, log *slog.Logger) error {
	results, err := p.Up(ctx)
	for _, r := range results {
		log.InfoContext(ctx, "schema migrated", "migration", r.Source.Path, "took", r.Duration)
	}
	return err
}

// all returns the names of all migrations. Where none was carried out they are
// what is pending: to ask the provider would begin to carry them out.
func all(p *goose.Provider) (names []string) {
	for _, source := range p.ListSources() {
		names = append(names, source.Path)
	}
	return names
}

func pendingIn(ctx context.Context, p *goose.Provider) (pending []string, err error) {
	status, err := p.Status(ctx)
	for _, m := range status {
		if m.State == goose.StatePending {
			pending = append(pending, m.Source.Path)
		}
	}
	return pending, err
}
