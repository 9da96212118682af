package main

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// leastRetention is as short as old rooms can be found.
	leastRetention = forgetPause
	// forgetEvery is how long after its time a room may still be there, or a
	// quarter of the retention where that is less.
	forgetEvery = 15 * time.Minute
	// forgetAtOnce bounds how long one look at old rooms keeps the store busy.
	forgetAtOnce = 50
	// forgetPause is between two such looks, so that a year's rooms, which are
	// found the first time, go beside the joins and not before them.
	forgetPause = time.Second
)

// retention reads how long closed rooms are kept.
func (r *reader) retention(flag, text string) time.Duration {
	if text == "0" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d != 0 && d < leastRetention {
		r.wrong(flag, text, "0, for ever, or a duration of a second or more, such as 8760h")
	}
	return d
}

// forget deletes rooms that have been closed for longer than they are kept,
// until ctx is done.
func (s *server) forget(ctx context.Context) {
	for wait := forgetPause; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if !s.started.Load() {
			continue
		}
		wait = forgetPause
		if s.forgetSome(ctx) == 0 {
			// Not all instances at the same moment.
			most := max(2*forgetPause, min(forgetEvery, s.retention/4))
			wait = most/2 + rand.N(most/2)
		}
	}
}

// forgetSome deletes some old rooms, the oldest first, and returns how many.
func (s *server) forgetSome(ctx context.Context) int {
	before := s.registrar.Now().Add(-s.retention)
	rooms, err := s.rooms.Prune(ctx, before, forgetAtOnce)
	if rooms > 0 {
		s.log.InfoContext(ctx, "old rooms deleted", "rooms", rooms, "closed_before", before)
	}
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "old rooms not deleted", "closed_before", before, "err", err)
	}
	return rooms
}
