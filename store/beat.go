package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

// mourning is how long an instance is known to be dead. One that was stopped
// for longer counts as new if it goes on: its sockets' peers are long gone.
const mourning = 24 * time.Hour

// forget takes out the instances that died until a time. One that has open
// sessions stays: they end at its last beat.
const forget = `
	DELETE FROM instance
	WHERE NOT EXISTS (SELECT 1 FROM session WHERE instance_id = instance.id AND disconnected_at IS NULL)
		AND dead_at <= `

// Beat is room.Store's. The time is that of the call, however long the disk
// takes.
func (s *SQLite) Beat(ctx context.Context, instance room.InstanceID) (room.Pulse, error) {
	pulse := room.Pulse{Now: s.clock.now()}
	err := s.alone(ctx, func(ctx context.Context) error {
		beats, err := s.writer.exec(ctx, `
			INSERT INTO instance (id, beat_at) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at WHERE instance.dead_at IS NULL`,
			string(instance), millis(pulse.Now))
		if err != nil {
			return err
		}
		pulse.Dead = beats == 0
		_, err = s.writer.find(ctx, `SELECT count(*) FROM instance WHERE dead_at IS NULL`, &pulse.Living)
		return err
	})
	if err != nil {
		return room.Pulse{}, fmt.Errorf("beat: %w", err)
	}
	return pulse, nil
}

// Bury is room.Store's.
func (s *SQLite) Bury(ctx context.Context, living room.InstanceID, silence time.Duration) (int, error) {
	var buried int64
	now := s.clock.now()
	err := s.alone(ctx, func(ctx context.Context) (err error) {
		// The latest beat stays: the clock goes on from it.
		_, err = s.writer.exec(ctx, forget+`$1 AND beat_at < (SELECT max(beat_at) FROM instance)`, millis(now.Add(-mourning)))
		if err != nil {
			return err
		}
		buried, err = s.writer.exec(ctx, `
			UPDATE instance SET dead_at = $1 WHERE dead_at IS NULL AND id <> $2 AND beat_at <= $3`,
			millis(now), string(living), millis(now.Add(-silence)))
		if err != nil || buried == 0 {
			return err
		}
		_, err = s.writer.exec(ctx, `
			UPDATE session SET disconnected_at = max(connected_at, beat_at) FROM instance
			WHERE instance_id = instance.id AND dead_at = $1 AND disconnected_at > beat_at`, millis(now))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mark the dead: %w", err)
	}
	return int(buried), nil
}

// alone calls f while nobody else writes. What was begun is finished.
func (s *SQLite) alone(ctx context.Context, f func(context.Context) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := f(context.WithoutCancel(ctx))
	s.wrote(err)
	return err
}
