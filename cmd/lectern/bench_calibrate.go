package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// A bare is what the machine takes for the least that a load cannot do without,
// in the same run: times mean little without it.
type bare struct {
	DurableWriteMs float64 `json:"durable_write_ms,omitempty"` // where the embedded store is
	CommitMs       float64 `json:"commit_ms,omitempty"`        // in Postgres
	RedisTripMs    float64 `json:"redis_round_trip_ms,omitempty"`
	LoopbackUs     float64 `json:"loopback_write_us,omitempty"` // of a frame to one of many sockets, CPU

	LoopbackSockets int `json:"loopback_sockets,omitempty"` // how many they were
}

// bareTimes are enough for a median that does not move.
const bareTimes = 101

// calibrate measures what the servers under load stand on, as far as it can be
// reached from here.
func calibrate(ctx context.Context, f *fleet) (b bare, err error) {
	if f.folder != "" && f.postgres == "" {
		if b.DurableWriteMs, err = durableWrite(f.folder); err != nil {
			return b, fmt.Errorf("try the disk: %w", err)
		}
	}
	if f.postgres != "" {
		if b.CommitMs, err = bareCommit(ctx, f.postgres); err != nil {
			return b, fmt.Errorf("try Postgres: %w", err)
		}
	}
	if options, bad := redis.ParseURL(f.redis); bad == nil {
		client := redis.NewClient(options)
		defer client.Close()
		if b.RedisTripMs, err = median(func() error { return client.Ping(ctx).Err() }); err != nil {
			return b, fmt.Errorf("try Redis: %w", err)
		}
	}
	return b, nil
}

// median returns how long something takes, in milliseconds.
func median(do func() error) (float64, error) {
	took := make([]time.Duration, bareTimes)
	for i := range took {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return latencyOf(took).P50, nil
}

// durableWrite writes and syncs as much as a database page.
func durableWrite(folder string) (float64, error) {
	file, err := os.Create(filepath.Join(folder, "bare"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	page := make([]byte, 4096)
	return median(func() error {
		if _, err := file.Write(page); err != nil {
			return err
		}
		return file.Sync()
	})
}

// bareCommit makes the least durable that Postgres keeps: a message in its
// write-ahead log, which concerns no table.
func bareCommit(ctx context.Context, url string) (float64, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	return median(func() error {
		_, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'lectern', 'bench')")
		return err
	})
}
