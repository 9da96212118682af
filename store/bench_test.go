package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectern-room/lectern/room"
)

// BenchmarkBareCommit is what a commit of one row costs on this disk: the
// measure of the others.
func BenchmarkBareCommit(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE bare (n bigint)`); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(`INSERT INTO bare (n) VALUES ($1)`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := insert.Exec(i); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveOneJoin(b *testing.B) { benchmarkJoins(b, openSQLite(b, b.TempDir()), 1) }

// fullHall is when a benchmark goes on in another room: lectures have some
// thousand students at most.
const fullHall = 5_000

// BenchmarkSave1024Joins saves a full batch: 1,024 people, as many sessions,
// and the entry.
func BenchmarkSave1024Joins(b *testing.B) { benchmarkJoins(b, openSQLite(b, b.TempDir()), 1024) }

// BenchmarkSave16Joins saves what gathers in a storm while the disk is busy.
func BenchmarkSave16Joins(b *testing.B) { benchmarkJoins(b, openSQLite(b, b.TempDir()), 16) }

func benchmarkJoins(b *testing.B, s room.Store, joins int) {
	h := openHall(b, s)
	b.ReportAllocs()
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		if h.room.Taken+joins > fullHall {
			h = openHall(b, s)
		}
		step := h.joins(joins)
		before := used(b)
		b.StartTimer()
		h.save(b, step)
		b.StopTimer()
		spent += used(b) - before
		b.StartTimer()
	}
	saved := float64(b.N * joins)
	b.ReportMetric(saved/b.Elapsed().Seconds(), "joins/s")
	b.ReportMetric(float64(spent.Nanoseconds())/1000/saved, "cpu-µs/join")
}

// used is the processor's time that this process has had.
func used(b *testing.B) time.Duration {
	var spent unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &spent); err != nil {
		b.Fatal(err)
	}
	return time.Duration(spent.Utime.Nano() + spent.Stime.Nano())
}

// BenchmarkSave50Rooms saves one join at a time in each of 50 rooms at once;
// an operation is one join.
func BenchmarkSave50Rooms(b *testing.B) { benchmarkRooms(b, openSQLite(b, b.TempDir())) }

// benchmarkRooms saves steps that also give up the names, which no room has.
func benchmarkRooms(b *testing.B, s room.Store, release ...string) {
	halls := make([]*hall, 50)
	for i := range halls {
		halls[i] = openHall(b, s)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i, h := range halls {
		all.Go(func() {
			for n := i; n < b.N; n += len(halls) {
				step := h.joins(1)
				step.Release = release
				h.save(b, step)
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "joins/s")
}

// BenchmarkLoad loads a room of 1,000 people with a socket each.
func BenchmarkLoad(b *testing.B) { benchmarkLoad(b, openSQLite(b, b.TempDir())) }

func benchmarkLoad(b *testing.B, s room.Store) {
	h := openHall(b, s)
	h.save(b, h.joins(1000))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Load(b.Context(), h.room.ID, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// A hall is a room that fills up.
type hall struct {
	store room.Store
	room  *room.Room
	users int
}

func openHall(tb testing.TB, s room.Store) *hall {
	h := newHall(s)
	h.save(tb, h.opening())
	return h
}

func newHall(s room.Store) *hall {
	return &hall{store: s, room: &room.Room{Header: room.Header{ID: room.NewID(time.Now())}}}
}

func (h *hall) opening() room.Step {
	title, seats := "Optics", room.MaxCapacity
	return h.step(room.Command{
		Type: room.CommandOpen, By: room.Caller{User: "lecturer", Name: "Kim", Role: room.Instructor},
		Change: &room.Change{Title: &title, Capacity: &seats, Code: room.NewCode()},
	})
}

// student names the n-th who comes: in no order, as in life.
func student(n int) room.UserID {
	return room.UserID(fmt.Sprintf("student-%06d", n*618_033%999_983)) // a prime: no two have the same
}

func (h *hall) joins(n int) room.Step {
	commands := make([]room.Command, n)
	for i := range commands {
		h.users++
		user := student(h.users)
		commands[i] = room.Command{
			ID: room.CommandID(room.NewToken()), Type: room.CommandJoin, Code: h.room.Code,
			By:      room.Caller{User: user, Name: "Student " + string(user), Role: room.Student},
			Session: room.SessionID(room.NewToken()), Instance: "instance",
		}
	}
	return h.step(commands...)
}

func (h *hall) step(commands ...room.Command) room.Step {
	step := h.room.Batch(commands, time.Now())
	step.Entry.Batch = room.NewToken()
	return step
}

func (h *hall) save(tb testing.TB, step room.Step) {
	if err := h.store.Save(tb.Context(), step); err != nil {
		tb.Error(err)
		return
	}
	h.room.Apply(step.Entry)
}
