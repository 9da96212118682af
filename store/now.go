package store

import (
	"context"
	"fmt"
	"time"
)

// Now returns the store's time.
func (s *SQLite) Now(context.Context) (time.Time, error) { return s.clock.now(), nil }

// Now returns the store's time, which is the database server's.
func (p *Postgres) Now(ctx context.Context) (time.Time, error) {
	var now int64
	if err := p.pool.QueryRow(ctx, `SELECT `+databaseNow).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("read the store's time: %w", err)
	}
	return time.UnixMilli(now).UTC(), nil
}
