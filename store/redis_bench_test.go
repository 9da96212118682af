package store

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/lectern-room/lectern/room"
)

// aJoin is what most commands look like.
func aJoin(id room.ID, n int) room.Command {
	return room.Command{
		ID: room.CommandID(fmt.Sprintf("i-7f3a9c.%x", n)), Type: room.CommandJoin, Room: id, AskedAt: time.Now().UTC(),
		By:   room.Caller{User: room.UserID(fmt.Sprintf("s%07d", n)), Name: "Kim Min-su", Role: room.Student},
		Code: "ABCDEFGHJK", Session: room.SessionID(room.NewToken()), Instance: "i-7f3a9c",
	}
}

// BenchmarkRedis is what a drain asks of Redis, beside a bare round trip.
func BenchmarkRedis(b *testing.B) {
	r := openRedis(b, startRedis(b).URL(), slog.DiscardHandler)
	for _, rooms := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("ping/rooms=%d", rooms), func(b *testing.B) {
			inRooms(b, rooms, func(room.ID) error { return r.client.Ping(b.Context()).Err() })
		})
		b.Run(fmt.Sprintf("drain/rooms=%d", rooms), func(b *testing.B) {
			inRooms(b, rooms, func(id room.ID) error { return drainOnce(b, r, id) })
		})
	}
}

// inRooms calls f b.N times, for so many rooms at once, with connections that
// are there already.
func inRooms(b *testing.B, rooms int, f func(room.ID) error) {
	warm, turns := turns(2*redisConnections), turns(b.N)
	run := func(turns <-chan struct{}) {
		var all sync.WaitGroup
		for range rooms {
			id := room.NewID(time.Now())
			all.Go(func() {
				for range turns {
					if err := f(id); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	run(warm)
	b.ResetTimer()
	run(turns)
}

// turns returns a channel that so many can be taken from.
func turns(n int) <-chan struct{} {
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	return turns
}

// drainOnce takes four commands through a room's queue, under its lock.
func drainOnce(b *testing.B, r *Redis, id room.ID) error {
	commands := make([]room.Command, 4)
	for i := range commands {
		commands[i] = aJoin(id, i)
	}
	if err := r.Push(b.Context(), id, commands); err != nil {
		return err
	}
	unlock, ok, err := r.Lock(b.Context(), id)
	if !ok {
		return fmt.Errorf("not locked: %w", err)
	}
	defer unlock()
	head, err := r.Head(b.Context(), id, 1024)
	if err != nil {
		return err
	}
	entry := room.Entry{Room: id, Version: 1, At: time.Now().UTC(), Batch: room.NewToken()}
	positions := make([]string, len(head))
	for i, q := range head {
		positions[i] = q.Position
		entry.Answers = append(entry.Answers, room.Answer{Command: q.Command.ID, Type: q.Command.Type, User: q.Command.By.User, State: room.Seated, Seat: i + 1})
	}
	return r.Publish(b.Context(), entry, positions)
}

// BenchmarkForm is what commands and entries cost to encode and decode.
func BenchmarkForm(b *testing.B) {
	r := openRedis(b, "redis://127.0.0.1:1", slog.DiscardHandler) // never asked
	join := aJoin(room.NewID(time.Now()), 12345)
	b.Run("command", func(b *testing.B) {
		for b.Loop() {
			form, err := r.form.Marshal(join)
			if err != nil {
				b.Fatal(err)
			}
			var c room.Command
			if err := cbor.Unmarshal(form, &c); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(form)), "B/command")
		}
	})
	entry := aStorm(b)
	b.Run("entry", func(b *testing.B) {
		for b.Loop() {
			message, err := r.writeEntry(entry)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := readEntry(string(message), everything); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(message)), "B/entry")
		}
	})
}

// aStorm is the entry of 1,024 joins.
func aStorm(b *testing.B) room.Entry {
	r := &room.Room{Header: room.Header{ID: room.NewID(time.Now())}}
	title, seats := "Optics", 1024
	commands := []room.Command{{
		ID: "c0", Type: room.CommandOpen, By: room.Caller{User: "t", Role: room.Instructor},
		Change: &room.Change{Title: &title, Capacity: &seats, Code: "ABCDEFGHJK"},
	}}
	for i := range seats {
		commands = append(commands, aJoin(r.ID, i))
	}
	entry := r.Batch(commands, time.Now()).Entry
	if len(entry.Events) < 2*seats {
		b.Fatalf("only %d events", len(entry.Events))
	}
	return entry
}
