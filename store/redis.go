package store

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/lectern-room/lectern/room"
)

var (
	_ room.Queue  = (*Redis)(nil)
	_ room.Locker = (*Redis)(nil)
	_ room.Bus    = (*Redis)(nil)
)

const (
	// redisTimeout is how long Redis may take for anything before it counts
	// as away: a hundred times what it takes, and little beside the time for
	// which a caller waits.
	redisTimeout = 200 * time.Millisecond
	// redisRetry is the pause between two looks at a Redis that is away.
	redisRetry = 250 * time.Millisecond
	// redisConnections bounds the connections of an instance. Each carries
	// one round trip at a time, of some 0.2 ms to 1 ms on a network. (The
	// library's AutoPipeline, which shares one among all callers, is 1.4
	// times as fast with 50 rooms at once, but does not end with its context:
	// a server that hangs costs most callers two timeouts.)
	redisConnections = 64
)

// errRedisAway says that Redis did not answer lately and is not asked.
var errRedisAway = errors.New("redis is away")

// RedisConfig says where a Redis is.
type RedisConfig struct {
	URL    string // see OpenRedis
	Prefix string // of every key and channel, so that systems can share a server
}

// Redis is the queue, the lock and the bus of many instances on a Redis
// server. Nothing in it is needed after a restart.
//
// One command that gets no answer within 200 ms, or the answer that Redis
// cannot or may not carry it out, makes it away: until Run has found that
// everything works it returns an error at once.
type Redis struct {
	client redis.UniversalClient
	locks  *redsync.Redsync
	form   cbor.EncMode // of commands and entries: CBOR takes 40 % of the time of JSON
	prefix string
	log    *slog.Logger
	away   atomic.Bool
	lost   chan struct{} // holds a token if Run has not seen that it is away
}

// OpenRedis makes a client of the server at config.URL, which need not be up:
//
//	redis://[[user]:password@]host[:port][/database]
//	rediss://… (TLS; ?skip_verify=true believes any certificate)
//	unix://[[user]:password@]/path/to/socket[?db=database]
//	redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/name[/database]
//
// The last asks Sentinels for the server of that name; sentinel_username and
// sentinel_password in the query are theirs. An error says that the URL is
// none of these, and does not hold its password.
func OpenRedis(config RedisConfig, log *slog.Logger) (*Redis, error) {
	options, err := redisOptions(config.URL)
	if err != nil {
		return nil, err
	}
	form, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode() // to the nanosecond, and UTC when read
	if err != nil {
		return nil, err
	}
	logging.Disable() // the library would print a line for every connection that fails
	client := redis.NewUniversalClient(options)
	return &Redis{
		client: client,
		locks:  redsync.New(goredis.NewPool(client)),
		form:   form,
		prefix: config.Prefix,
		log:    log,
		lost:   make(chan struct{}, 1),
	}, nil
}

// Close closes all connections. Run and Listen must have ended.
func (r *Redis) Close() error { return r.client.Close() }

// Up tells whether Redis answers, as far as is known.
func (r *Redis) Up() bool { return !r.away.Load() }

// key names something of a room.
func (r *Redis) key(id room.ID, what string) string { return r.prefix + string(id) + ":" + what }

// do runs commands within one timeout, unless Redis is away; it is from then
// on if it is at fault for an error of run.
func (r *Redis) do(ctx context.Context, run func(context.Context) error) error {
	if r.away.Load() {
		return errRedisAway
	}
	within, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	err := run(within)
	if err != nil && ctx.Err() == nil && redisAtFault(err) && r.away.CompareAndSwap(false, true) {
		r.log.Warn("Redis is away: rooms go on without their queue, lock and bus", "err", err)
		r.lost <- struct{}{}
	}
	return err
}

// redisAtFault tells whether an error is about Redis and not about one room:
// it did not answer, or it answers that it does not do what every room needs.
func redisAtFault(err error) bool {
	return !redis.HasErrorPrefix(err, "WRONGTYPE") // another's key has the name of the room's
}

// Run finds Redis back whenever it was away, until ctx is done.
func (r *Redis) Run(ctx context.Context) error {
	for {
		select {
		case <-r.lost:
			r.await(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Redis) await(ctx context.Context) {
	began := time.Now()
	look := time.NewTicker(redisRetry)
	defer look.Stop()
	said := ""
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		err := r.tryAll(ctx)
		if err == nil {
			r.away.Store(false)
			r.log.Info("Redis is back", "after", time.Since(began).Round(time.Millisecond))
			return
		}
		var answer redis.Error
		if errors.As(err, &answer) && answer.Error() != said {
			said = answer.Error()
			r.log.Warn("Redis answers, but cannot be used: rooms go on without it; lectern doctor says what to mend", "err", answer)
		}
	}
}

// tryAll asks of Redis once what rooms ask, in the name of a room that is not:
// a PING it also answers where it refuses everything else.
func (r *Redis) tryAll(ctx context.Context) error {
	try := &Redis{
		client: r.client, locks: r.locks, form: r.form, prefix: r.prefix + "try:",
		log: slog.New(slog.DiscardHandler), lost: make(chan struct{}, 1),
	}
	id := room.NewID(time.Now())
	lock, ok, err := try.lock(ctx, id)
	if !ok {
		return err
	}
	if err := try.unlock(ctx, lock); err != nil {
		return err
	}
	if err := try.Push(ctx, id, make([]room.Command, 1)); err != nil {
		return err
	}
	head, err := try.Head(ctx, id, 1)
	if err != nil {
		return err
	}
	var positions []string
	for _, q := range head {
		positions = append(positions, q.Position)
	}
	return try.Publish(ctx, room.Entry{Room: id, Version: 1}, positions)
}
