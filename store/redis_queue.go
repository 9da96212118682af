package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-redsync/redsync/v4"
	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
)

const (
	// queueLife is how long a queue that nobody pushes to stays: well past
	// the age at which a command is not decided any more.
	queueLife = time.Minute
	// queueLimit bounds a queue that nobody drains: more than the largest
	// room has seats.
	queueLimit = room.MaxCapacity
	// pushLimit bounds what is written within one timeout: some 300 KB.
	pushLimit = 1_024
	// onePacket is how many bytes arrive together or not at all: fewer than the
	// some 1,400 of a packet. They need no transaction, which would cost a lone
	// command a tenth more.
	onePacket = 1_200
	// wordsAround is what XADD says beside a command and the queue's name.
	wordsAround = 80
	// commandField is the field of a queue's items that holds the command.
	commandField = "c"
	// lockLife is how long the lock of an instance that has died is held:
	// longer than a drain takes whose saves go through, but for those of halls
	// of tens of thousands. One whose lock runs out goes on beside the next, and
	// is merely slower.
	lockLife = 5 * time.Second
)

func (r *Redis) queue(id room.ID) string { return r.key(id, "queue") }

// Push is room.Queue's. A room's queue is a stream, with one item a command.
func (r *Redis) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	for some := range slices.Chunk(commands, pushLimit) {
		if err := r.push(ctx, r.queue(id), some); err != nil {
			return err
		}
	}
	return nil
}

func (r *Redis) push(ctx context.Context, queue string, commands []room.Command) error {
	items, size := make([][]byte, len(commands)), len(queue)+wordsAround
	for i, c := range commands {
		var err error
		if items[i], err = r.form.Marshal(c); err != nil {
			return fmt.Errorf("encode a command: %w", err)
		}
		size += len(items[i]) + len(queue) + wordsAround
	}
	return r.do(ctx, func(ctx context.Context) error {
		pipelined := r.client.TxPipelined // or a queue that was cut off before its end would stay for ever
		if size <= onePacket {
			pipelined = r.client.Pipelined
		}
		_, err := pipelined(ctx, func(p redis.Pipeliner) error {
			for _, item := range items {
				p.XAdd(ctx, &redis.XAddArgs{Stream: queue, MaxLen: queueLimit, Approx: true, Values: []any{commandField, item}})
			}
			p.Expire(ctx, queue, queueLife)
			return nil
		})
		return err
	})
}

// Head is room.Queue's. What cannot be read is taken out of the queue: whoever
// asked it asks again.
func (r *Redis) Head(ctx context.Context, id room.ID, limit int) ([]room.Queued, error) {
	queue := r.queue(id)
	var head []room.Queued
	err := r.do(ctx, func(ctx context.Context) error {
		items, err := r.client.XRangeN(ctx, queue, "-", "+", int64(limit)).Result()
		if err != nil {
			return err
		}
		var unreadable []string
		head, unreadable = readQueue(items)
		if len(unreadable) == 0 {
			return nil
		}
		r.log.Warn("commands in a queue cannot be read, as of another version: whoever asked asks again", "room", id, "commands", len(unreadable))
		return r.client.XDel(ctx, queue, unreadable...).Err()
	})
	return head, err
}

func readQueue(items []redis.XMessage) (head []room.Queued, unreadable []string) {
	head = make([]room.Queued, 0, len(items))
	for _, item := range items {
		text, _ := item.Values[commandField].(string)
		q := room.Queued{Position: item.ID}
		if err := cbor.Unmarshal([]byte(text), &q.Command); err != nil {
			unreadable = append(unreadable, item.ID)
			continue
		}
		head = append(head, q)
	}
	return head, unreadable
}

// Lock is room.Locker's. A lock that is never given back runs out after 5 s.
func (r *Redis) Lock(ctx context.Context, id room.ID) (unlock func(), ok bool, err error) {
	lock, ok, err := r.lock(ctx, id)
	if !ok {
		return nil, false, err
	}
	return func() {
		// Even when whoever held it has been told to stop. One that cannot be
		// given back runs out.
		_ = r.unlock(context.WithoutCancel(ctx), lock)
	}, true, nil
}

func (r *Redis) lock(ctx context.Context, id room.ID) (lock *redsync.Mutex, ok bool, err error) {
	lock = r.locks.NewMutex(r.key(id, "lock"), redsync.WithExpiry(lockLife), redsync.WithTries(1))
	err = r.do(ctx, func(ctx context.Context) error {
		err := lock.TryLockContext(ctx)
		ok = err == nil
		if held(err) {
			return nil
		}
		return err
	})
	return lock, ok, err
}

func (r *Redis) unlock(ctx context.Context, lock *redsync.Mutex) error {
	return r.do(ctx, func(ctx context.Context) error {
		_, err := lock.UnlockContext(ctx)
		if held(err) || errors.Is(err, redsync.ErrLockAlreadyExpired) {
			return nil
		}
		return err
	})
}

// held tells whether an error says that another holds the lock.
func held(err error) bool {
	var taken *redsync.ErrTaken
	return errors.As(err, &taken) || errors.Is(err, redsync.ErrFailed)
}
