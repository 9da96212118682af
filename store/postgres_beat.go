package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

// databaseNow is the database server's time, in the transaction or not.
const databaseNow = `floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// The table is seen as it was before the beat, so that the beat counts itself.
const beat = `
	WITH beat AS (
		INSERT INTO instance (id, beat_at) VALUES ($1, ` + databaseNow + `)
		ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at WHERE instance.dead_at IS NULL
		RETURNING beat_at)
	SELECT coalesce((SELECT beat_at FROM beat), ` + databaseNow + `), NOT EXISTS (SELECT FROM beat),
		(SELECT count(*) FROM beat) + (SELECT count(*) FROM instance WHERE dead_at IS NULL AND id <> $1)`

// Beat is room.Store's. The time is the database server's.
func (p *Postgres) Beat(ctx context.Context, instance room.InstanceID) (room.Pulse, error) {
	var pulse room.Pulse
	var now int64
	err := p.pool.QueryRow(ctx, beat, instance).Scan(&now, &pulse.Dead, &pulse.Living)
	p.wrote(err)
	if err != nil {
		return room.Pulse{}, fmt.Errorf("beat: %w", err)
	}
	pulse.Now = time.UnixMilli(now).UTC()
	return pulse, nil
}

const bury = `
	WITH forgotten AS (` + forget + databaseNow + ` - $3), buried AS (
		UPDATE instance SET dead_at = ` + databaseNow + `
		WHERE dead_at IS NULL AND id <> $1 AND beat_at <= ` + databaseNow + ` - $2
		RETURNING id, beat_at), hidden AS (
		UPDATE session SET disconnected_at = greatest(connected_at, beat_at) FROM buried
		WHERE instance_id = buried.id AND disconnected_at > beat_at)
	SELECT count(*) FROM buried`

// Bury is room.Store's, by the database server's clock.
func (p *Postgres) Bury(ctx context.Context, living room.InstanceID, silence time.Duration) (int, error) {
	var buried int
	err := p.pool.QueryRow(ctx, bury, living, silence.Milliseconds(), mourning.Milliseconds()).Scan(&buried)
	p.wrote(err)
	if err != nil {
		return 0, fmt.Errorf("mark the dead: %w", err)
	}
	return buried, nil
}
