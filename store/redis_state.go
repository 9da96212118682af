package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A RedisState is what a Redis tells of itself to whoever has to look after
// it.
type RedisState struct {
	Version   string
	Mode      string // standalone, sentinel or cluster
	Role      string // master or replica
	RoundTrip time.Duration

	// Policy is what it does when its memory is full, "" where there is no
	// bound, or where the user may not ask.
	Policy string

	// Refused is what it said to what an instance asks of it, nil if it did
	// all of that.
	Refused error
}

// looks is how often a server is asked before it counts as away, or far: the
// first time a connection is made, and others keep it busy too.
const looks = 8

// State looks at the server, and tries on it what rooms ask of it, under
// names that no room has and that are gone in a minute.
func (r *Redis) State(ctx context.Context) (state RedisState, err error) {
	var hello map[any]any
	for range looks {
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, redisTimeout)
		answer, failed := r.client.Do(within, "HELLO", "3").Result() // which any user may ask
		cancel()
		if failed != nil {
			err = failed
			continue
		}
		if took := time.Since(began); hello == nil || took < state.RoundTrip {
			state.RoundTrip = took
		}
		hello, _ = answer.(map[any]any)
	}
	if hello == nil {
		return state, err
	}
	state.Version, state.Mode, state.Role = fmt.Sprint(hello["version"]), fmt.Sprint(hello["mode"]), fmt.Sprint(hello["role"])
	if memory, err := r.client.Info(ctx, "memory").Result(); err == nil && !strings.Contains(memory, "\nmaxmemory:0\r") {
		_, rest, _ := strings.Cut(memory, "\nmaxmemory_policy:")
		state.Policy, _, _ = strings.Cut(rest, "\r")
	}
	for range looks {
		if state.Refused = r.tryAll(ctx); state.Refused == nil {
			state.Refused = r.tryHearing(ctx)
		}
		var answer redis.Error
		if state.Refused == nil || errors.As(state.Refused, &answer) {
			break // else it was slow, now
		}
	}
	return state, nil
}

// tryHearing subscribes to what instances tell each other, for a moment.
func (r *Redis) tryHearing(ctx context.Context) error {
	subscription := r.client.Subscribe(ctx, r.entries())
	defer subscription.Close()
	heard, err := subscription.ReceiveTimeout(ctx, redisTimeout)
	if _, ok := heard.(*redis.Subscription); err == nil && !ok {
		err = fmt.Errorf("a subscription is answered with %T", heard)
	}
	return err
}
