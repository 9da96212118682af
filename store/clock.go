package store

import (
	"context"
	"database/sql"
	"time"
)

// A clock tells a store's time: the machine's when the store was opened, and
// what has passed since. Setting the machine's clock does not touch it.
type clock struct {
	wall   func() time.Time
	steady func() time.Duration // since a moment that does not matter

	start time.Time
	began time.Duration
}

// set starts the clock, never before last. It returns how far that is ahead
// of the machine's clock.
func (c *clock) set(last time.Time) (ahead time.Duration) {
	c.start, c.began = c.wall(), c.steady()
	if ahead = last.Sub(c.start); ahead > 0 {
		c.start = last
	}
	return max(0, ahead)
}

func (c *clock) now() time.Time {
	return c.start.Add(c.steady() - c.began).UTC().Truncate(time.Millisecond)
}

// lastBeat returns the time of the latest beat, zero if there is none or no
// schema yet.
func lastBeat(ctx context.Context, db *sql.DB) (time.Time, error) {
	var tables int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'instance'`).Scan(&tables)
	if err != nil || tables == 0 {
		return time.Time{}, err
	}
	var last time.Time
	err = db.QueryRowContext(ctx, `SELECT max(beat_at) FROM instance`).Scan(moment{&last})
	return last, err
}
