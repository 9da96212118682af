// Package storetest is what every store, queue, lock and bus promises, as a
// test that any implementation runs.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A Store is a room.Store with the reads that the HTTP API makes.
type Store interface {
	room.Store

	// Rooms returns an instructor's rooms, the newest first, that are older
	// than the given one; an empty id begins with the newest.
	Rooms(ctx context.Context, instructor room.UserID, before room.ID, limit int) ([]room.Header, error)

	// Places returns a person's places in rooms that are not closed.
	Places(ctx context.Context, user room.UserID) ([]room.Place, error)

	// History returns what the attendance record of a room is made of.
	History(ctx context.Context, id room.ID) (*room.History, error)

	// Erase takes a person's id and name out of every closed room.
	Erase(ctx context.Context, user room.UserID) (room.Erasure, error)

	// Prune deletes rooms that were closed before a time, at most limit, and
	// returns how many.
	Prune(ctx context.Context, closedBefore time.Time, limit int) (rooms int, err error)

	// Ping tells whether the store can be read and took what was last written.
	Ping(ctx context.Context) error
}

// Open returns an empty store, and a function that closes it and opens what
// it kept. The test closes neither.
type Open func(t *testing.T) (s Store, again func() Store)

// Run runs every promise of a store, each on an empty one.
func Run(t *testing.T, open Open) {
	for name, promise := range map[string]func(*testing.T, Store){
		"CompareAndSet":    compareAndSet,
		"SameBatchTwice":   sameBatchTwice,
		"SeatChanges":      seatChanges,
		"Promotions":       promotions,
		"Corrections":      corrections,
		"Storm":            storm,
		"SeatPromise":      seatPromise,
		"Claims":           claims,
		"Sessions":         sessions,
		"Points":           points,
		"Entries":          entries,
		"LoadIsApplied":    loadIsApplied,
		"Due":              due,
		"Orphans":          orphans,
		"Instances":        instances,
		"Hidden":           hidden,
		"Versions":         versionsOf,
		"Rooms":            rooms,
		"Places":           places,
		"Positions":        positions,
		"Erase":            erase,
		"EraseLongLog":     eraseLongLog,
		"EraseAmongSavers": eraseAmongSavers,
		"Prune":            prune,
		"PruneTogether":    pruneTogether,
		"Unknown":          unknown,
		"SaveNext":         saveNext,
		"ConcurrentRooms":  concurrentRooms,
		"ConcurrentNext":   concurrentNext,
		"GroupedRooms":     groupedRooms,
		"ConcurrentSavers": concurrentSavers,
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			promise(t, s)
		})
	}
	t.Run("Again", func(t *testing.T) { keepsEverything(t, open) })
}

var (
	lecturer = room.Caller{User: "lecturer", Name: "Kim", Role: room.Instructor}
	noon     = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// A lecture is a room that is led through its life and saved step by step.
type lecture struct {
	testing.TB
	store Store
	*room.Room
	now   time.Time
	asked int
	log   []room.Entry
}

// begin opens a room with so many seats.
func begin(t testing.TB, s Store, seats int) *lecture {
	t.Helper()
	return beginWith(t, s, noon, seats, nil)
}

func beginWith(t testing.TB, s Store, at time.Time, seats int, options *room.OptionsEdit) *lecture {
	t.Helper()
	l := &lecture{TB: t, store: s, now: at}
	l.Room = &room.Room{Header: room.Header{ID: room.NewID(at)}}
	title, code := "Optics", room.NewCode()
	l.do(room.Command{Type: room.CommandOpen, By: lecturer, Change: &room.Change{
		Title: &title, Capacity: &seats, Options: options, Code: code, Slot: 2,
	}})
	return l
}

// step decides commands as one batch.
func (l *lecture) step(commands ...room.Command) room.Step {
	for i := range commands {
		l.asked++
		commands[i].ID = room.CommandID(fmt.Sprint("c", l.asked))
		commands[i].Room = l.ID
	}
	step := l.Batch(commands, l.now)
	step.Entry.Batch = room.NewToken()
	return step
}

// save saves and applies a step.
func (l *lecture) save(step room.Step) {
	l.Helper()
	if err := l.store.Save(l.Context(), step); err != nil {
		l.Fatalf("save version %d: %v", step.Entry.Version, err)
	}
	l.Apply(step.Entry)
	l.log = append(l.log, step.Entry)
}

func (l *lecture) do(commands ...room.Command) {
	l.Helper()
	l.save(l.step(commands...))
}

// check fails unless the store has the room as it is here.
func (l *lecture) check() {
	l.Helper()
	stored, _, err := l.store.Load(l.Context(), l.ID, noon)
	if err != nil {
		l.Fatal(err)
	}
	if d := differences(stored, l.Room); d != "" {
		l.Fatalf("the store differs from the room at version %d:\n%s", l.Version, d)
	}
}

func student(name string) room.Caller {
	return room.Caller{User: room.UserID(strings.ToLower(name)), Name: name, Role: room.Student}
}

func (l *lecture) join(name string) room.Command {
	return room.Command{Type: room.CommandJoin, By: student(name), Code: l.Code}
}

func (l *lecture) joinOn(name string, session room.SessionID, instance room.InstanceID) room.Command {
	c := l.join(name)
	c.Session, c.Instance = session, instance
	return c
}

func leave(name string) room.Command {
	return room.Command{Type: room.CommandLeave, By: student(name)}
}

func disconnect(name string, session room.SessionID, at time.Time) room.Command {
	return room.Command{Type: room.CommandDisconnect, By: student(name), Session: session, At: at}
}

func update(seats int, options *room.OptionsEdit) room.Command {
	return room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{Capacity: &seats, Options: options}}
}

func correct(name string, status room.AttendanceStatus, why string) room.Command {
	return room.Command{Type: room.CommandCorrect, By: lecturer, User: student(name).User, Status: status, Reason: why}
}

func closing() room.Command { return room.Command{Type: room.CommandClose, By: lecturer} }

// differences says where two rooms differ, empty if nowhere.
func differences(got, want *room.Room) string {
	var d strings.Builder
	if !reflect.DeepEqual(got.Header, want.Header) {
		fmt.Fprintf(&d, "header:\n got %+v\nwant %+v\n", got.Header, want.Header)
	}
	g, w := people(got), people(want)
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			fmt.Fprintf(&d, "missing: %+v\n", w[i])
		case i >= len(w):
			fmt.Fprintf(&d, "too many: %+v\n", g[i])
		case !reflect.DeepEqual(g[i], w[i]):
			fmt.Fprintf(&d, "person:\n got %+v\nwant %+v\n", g[i], w[i])
		}
	}
	return d.String()
}

// people returns a room's people in an order that two rooms share.
func people(r *room.Room) []room.Person {
	all := []room.Person{}
	for p := range r.People() {
		q := *p
		q.Sessions = slices.SortedFunc(slices.Values(p.Sessions), func(a, b room.Session) int {
			return strings.Compare(string(a.ID), string(b.ID))
		})
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b room.Person) int { return strings.Compare(string(a.User), string(b.User)) })
	return all
}

func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func fails(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}
