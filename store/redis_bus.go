package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
)

const (
	// probeEvery is how often a listener sends itself a message.
	probeEvery = time.Second
	// silence is how long none may come back before the subscription counts
	// as lost: no library notices one whose network swallows everything.
	silence = 3 * time.Second
)

// errSilence says that a subscription is open and yet nothing comes.
var errSilence = fmt.Errorf("no message came for %s", silence)

func (r *Redis) entries() string { return r.prefix + "entries" }

// Publish is room.Bus's. An entry of version 0 tells nothing.
func (r *Redis) Publish(ctx context.Context, entry room.Entry, answered []string) error {
	if entry.Version == 0 {
		return r.remove(ctx, entry.Room, answered)
	}
	message, err := r.writeEntry(entry)
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return r.do(ctx, func(ctx context.Context) error {
		if len(answered) == 0 {
			return r.client.Publish(ctx, r.entries(), message).Err()
		}
		var published *redis.IntCmd
		_, err := r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.XDel(ctx, r.queue(entry.Room), answered...)
			published = p.Publish(ctx, r.entries(), message)
			return nil
		})
		return cmp.Or(published.Err(), err) // the latter may only say that the transaction was discarded
	})
}

// remove takes commands off a queue and tells nobody.
func (r *Redis) remove(ctx context.Context, id room.ID, positions []string) error {
	if len(positions) == 0 {
		return nil
	}
	return r.do(ctx, func(ctx context.Context) error { return r.client.XDel(ctx, r.queue(id), positions...).Err() })
}

// writeEntry encodes an entry behind a line of its room and version, so that
// whoever does not want it need not read it.
func (r *Redis) writeEntry(entry room.Entry) ([]byte, error) {
	text, err := r.form.Marshal(entry)
	if err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, "%s %d\n", entry.Room, entry.Version), text...), nil
}

// readEntry returns an entry if it is wanted.
func readEntry(message string, wants func(room.ID, int64) bool) (entry room.Entry, wanted bool, err error) {
	head, text, _ := strings.Cut(message, "\n")
	id, number, _ := strings.Cut(head, " ")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return room.Entry{}, false, err
	}
	if !wants(room.ID(id), version) {
		return room.Entry{}, false, nil
	}
	err = cbor.Unmarshal([]byte(text), &entry)
	return entry, err == nil, err
}

// Listen is room.Bus's. It returns nil when ctx is done, and until then tries
// for ever.
func (r *Redis) Listen(ctx context.Context, wants func(room.ID, int64) bool, receive func(room.Entry), missed func()) error {
	messages := newBacklog[string]()
	probes := r.prefix + "probe:" + rand.Text()
	var hearing sync.WaitGroup
	defer hearing.Wait()
	hearing.Go(func() { r.probe(ctx, probes) })
	hearing.Go(func() { r.hear(ctx, probes, messages) })

	messages.drain(ctx, func(message string) {
		entry, wanted, err := readEntry(message, wants)
		switch {
		case err != nil:
			r.log.Warn("an entry of another instance cannot be read, as of another version: it is read from the store", "err", err)
			missed()
		case wanted:
			receive(entry)
		}
	}, missed)
	return nil
}

// probe sends a listener's probes on the way that entries take, until ctx is
// done. One that fails is noticed by the silence.
func (r *Redis) probe(ctx context.Context, channel string) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		_ = r.do(ctx, func(ctx context.Context) error { return r.client.Publish(ctx, channel, "").Err() })
	}
}

// hear keeps a subscription until ctx is done.
func (r *Redis) hear(ctx context.Context, probes string, messages *backlog[string]) {
	deaf := false
	for {
		err := r.subscribe(ctx, probes, messages, func() {
			if deaf {
				deaf = false
				r.log.Info("entries of other instances are heard again")
			}
		})
		if ctx.Err() != nil {
			return
		}
		if !deaf {
			deaf = true
			r.log.Warn("entries of other instances are not heard: rooms are compared with the store meanwhile", "err", err)
		}
		select {
		case <-time.After(redisRetry):
		case <-ctx.Done():
			return
		}
	}
}

// subscribe hears messages until the subscription is lost or ctx is done, and
// calls subscribed when Redis has confirmed it.
func (r *Redis) subscribe(ctx context.Context, probes string, messages *backlog[string], subscribed func()) error {
	subscription := r.client.Subscribe(ctx, probes, r.entries())
	defer subscription.Close()
	stop := context.AfterFunc(ctx, func() { subscription.Close() }) // a read does not end with its context
	defer stop()
	alive := time.Now()
	for left := silence; left > 0; left = silence - time.Since(alive) {
		heard, err := subscription.ReceiveTimeout(ctx, left)
		if err != nil && time.Since(alive) < silence {
			return err
		}
		switch heard := heard.(type) {
		case *redis.Subscription:
			if heard.Channel == r.entries() {
				messages.lose()
				subscribed()
			}
		case *redis.Message:
			if heard.Channel == probes {
				alive = time.Now()
			} else {
				messages.offer(heard.Payload, len(heard.Payload))
			}
		}
	}
	return errSilence
}
