package store_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
	"github.com/lectern-room/lectern/store"
)

// saverFolder, if it is set, makes this program the process that is killed.
const saverFolder = "STORE_TEST_SAVER_FOLDER"

// joinsAtOnce is what each of its saves holds.
const joinsAtOnce = 5

func TestMain(m *testing.M) {
	if folder := os.Getenv(saverFolder); folder != "" {
		if err := saveForEver(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/lectern-room/lectern/store/servers.(*process).wait"),
		// The breaking network's library leaves one behind now and then, where
		// a connection ends just when its link is broken.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.Cleanup(func(code int) {
			sharedPostgres.remove()
			fragilePostgres.remove()
			os.Exit(code)
		}))
}

// saveForEver fills four rooms at once and prints the room and the version of
// every save that was acknowledged.
func saveForEver(folder string) error {
	ctx := context.Background()
	s, err := store.OpenSQLite(ctx, folder, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			h := newHall(s)
			step := h.opening()
			for {
				if err := s.Save(ctx, step); err != nil {
					failed <- err
					return
				}
				h.room.Apply(step.Entry)
				fmt.Println(h.room.ID, h.room.Version)
				step = h.joins(joinsAtOnce)
			}
		}()
	}
	return <-failed
}

// TestKill kills a process that saves: what it acknowledged is there.
func TestKill(t *testing.T) {
	folder, rounds, saves := t.TempDir(), 3, int64(0)
	if roomtest.ProveFor(t) > 0 {
		rounds = 20
	}
	for round := range rounds {
		acknowledged := killed(t, folder, 40+30*round)
		s := openSQLite(t, folder)
		for id, version := range acknowledged {
			saves += version
			r, log, err := s.Load(t.Context(), id, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Version < version || int(r.Version) != len(log) || r.Taken != joinsAtOnce*(len(log)-1) || len(r.Roster()) != r.Taken {
				t.Errorf("room %s has version %d, %d entries, %d taken and %d people; version %d was acknowledged",
					id, r.Version, len(log), r.Taken, len(r.Roster()), version)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d SIGKILLs of a process that saves to SQLite: %d saves acknowledged, 0 lost", rounds, saves)
	}
}

// killed runs a saver, kills it after so many acknowledgements and returns the
// last of each room.
func killed(t *testing.T, folder string, after int) map[room.ID]int64 {
	t.Helper()
	saver := exec.Command(os.Args[0])
	saver.Env = append(os.Environ(), saverFolder+"="+folder)
	saver.Stderr = os.Stderr
	out, err := saver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := saver.Start(); err != nil {
		t.Fatal(err)
	}
	last := map[room.ID]int64{}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		id, text, _ := strings.Cut(lines.Text(), " ")
		if version, err := strconv.ParseInt(text, 10, 64); err == nil {
			last[room.ID(id)] = version
		}
		if n == after {
			saver.Process.Kill()
		}
	}
	saver.Wait()
	if len(last) != 4 {
		t.Fatalf("%d rooms were acknowledged, want 4", len(last))
	}
	return last
}

// TestFolderIsLocked: two servers never share a folder, and the second is told
// whose it is.
func TestFolderIsLocked(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	first := openSQLite(t, folder)
	_, err := store.OpenSQLite(t.Context(), folder, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("the folder was opened twice")
	}
	for _, part := range []string{folder, fmt.Sprint("process ", os.Getpid())} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, folder)

	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("others may read the folder: %v", mode)
	}
}

// TestFolderNames: any name that a folder can have does.
func TestFolderNames(t *testing.T) {
	for _, name := range []string{"with space", "100%25", "what?_pragma=synchronous(OFF)", "#1", "ä ö"} {
		folder := filepath.Join(t.TempDir(), name)
		openSQLite(t, folder)
		if _, err := os.Stat(filepath.Join(folder, "lectern.db")); err != nil {
			t.Error(err)
		}
	}
}

// TestMigrations: what is pending is pending until it was carried out.
func TestMigrations(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range []int{1, 0} {
		pending, err := s.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(pending) != want {
			t.Errorf("pending: %v, want %d", pending, want)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrentOpening: of those who open a folder at one moment, one does.
func TestConcurrentOpening(t *testing.T) {
	folder := t.TempDir()
	var opened sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if s, err := store.OpenSQLite(t.Context(), folder, slog.New(slog.DiscardHandler)); err == nil {
				opened.Store(i, s)
			}
		})
	}
	all.Wait()
	n := 0
	opened.Range(func(_, s any) bool {
		n++
		s.(*store.SQLite).Close()
		return true
	})
	if n != 1 {
		t.Errorf("%d opened the folder", n)
	}
}
